"""The last lines of a run: the place of its submission among the entries of the shipped board."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.say import quote
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import pandas as pd

    from harness.plan.trial import Trial


def place_lines(trial: Trial, store: Path, *, has_reference: bool) -> Iterator[str]:
    """The place of a trial's submission in words, by steps and, if possible, by seconds.

    Raises nothing, since the run itself has succeeded even if it cannot be placed.

    Args:
        trial: any trial of the run.
        store: the folder of its records.
        has_reference: whether the reference ran before and after it.
    """
    from harness.analysis.reference_board import shipped_board

    board = shipped_board(trial.suite, trial.framework)
    if board is not None:
        try:
            yield from _lines(trial, store, board, has_reference=has_reference)
        except HarnessError as error:
            yield f"note: not placed on the board: {error.in_one_line}"
    elif has_reference:
        yield (
            f"note: no board ships for suite {trial.suite} in {trial.framework}; place it on "
            f"another: {quote('harness', 'baselines', store)} --board BOARD --clock seconds"
        )


def _lines(trial: Trial, store: Path, board: pd.DataFrame, *, has_reference: bool) -> Iterator[str]:
    from harness.analysis.reference_board import is_of_its_machine, places_of
    from harness.analysis.scored import read_records
    from harness.speed.reference_training import REFERENCE

    if trial.variant != "base":
        raise HarnessError(f"it has no trials of {trial.variant}")
    run = read_records(store)
    is_own = run["content_hash"].eq(trial.submission.entry_hash)
    own = run[is_own]
    places = () if own.empty else places_of(own, board, store=store)
    for place in places:
        yield from place.lines()
    if places and (has_reference or is_of_its_machine(own, board)):
        around = run[is_own | run["submission"].eq(REFERENCE)] if has_reference else own
        for place in places_of(around, board, "seconds", REFERENCE, store):
            yield from place.lines()
        yield from _doubts(own)
    elif places:
        yield f"  in seconds, which takes {REFERENCE} before and after it:"
        yield f"  {places[0].again} --with-reference --out DIR"


def _doubts(own: pd.DataFrame) -> Iterator[str]:
    """What to say of seconds that other programs or the machine have made longer."""
    if count := int((own["interference"].ne("") | own["contention"].ne("")).sum()):
        yield f"  {count} of its {len(own)} trials are flagged, so its seconds are in doubt"
