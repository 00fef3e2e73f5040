"""Records for programs: self-describing frames, and comparisons of two entries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis.reading import read_store
from harness.analysis.scored import Source, load_board, scored_part

if TYPE_CHECKING:
    import pandas as pd

    from scoring.attribution import Attribution
    from scoring.compare import Comparison

NAMES = ("suite", "workload", "variant", "framework", "submission", "study", "trial")


@dataclass(frozen=True, eq=False)
class Results:
    """The frames of a folder of records."""

    trials: pd.DataFrame
    """One row per trial; `scoring.columns.RESULTS` names the columns."""
    curves: pd.DataFrame
    """One row per metric value after a step, with the names of its trial (`NAMES`), `identity`,
    `time_s`, `step`, `examples`, `fraction` of the budget, `split`, `metric`, `value`."""


def load(store: Path | str) -> Results:
    """The trials and curves of a folder of records.

    Raises:
        HarnessError: the folder holds no trial, or one that cannot be read.
    """
    reading = read_store(Path(store), keep_curves=True)
    trials = scored_part(reading.trials)
    trial_names = trials[[*NAMES, "identity"]]
    curves = trial_names.merge(reading.curves(), on="identity", validate="one_to_many")
    return Results(trials, curves)


def compare(
    store: Path | str, a: str, b: str, *, clock: str = "seconds", allow: tuple[str, ...] = ()
) -> Comparison:
    """Compare entries `a` and `b` of a folder of records, as `harness compare` does.

    Args:
        store: the folder of records.
        a: the name of the first entry.
        b: the name of the entry that it is compared with.
        clock: `seconds`, `steps` or `examples`.
        allow: rules that may be broken, by the names that refusals give.

    Raises:
        HarnessError: the folder cannot be scored, or lacks one of the entries.
    """
    return comparison_of(a, b, Source(Path(store), clock=clock, allow=allow))[0]


def comparison_of(
    a: str, b: str, source: Source
) -> tuple[Comparison, Attribution | None, tuple[str, ...]]:
    """The comparison of two entries of a folder of records or a table, and its flags.

    Other entries are left out before anything is refused, so that their state does not matter. For
    records compared in seconds, the difference is also attributed to its causes. A held entry is
    compared too, because a comparison is not a ranking; a flag reports it.
    """
    from scoring.attribution import attribute
    from scoring.compare import compare_entries
    from scoring.frame import find_entry
    from scoring.standing import HELD_RULE

    allow = (*source.allow, HELD_RULE)
    board, frame = load_board(replace(source, allow=allow, entries=(a, b)))
    if frame is not None:
        a, b = find_entry(frame, a), find_entry(frame, b)
    comparison = compare_entries(board.times, a, b, board.rules)
    if frame is None or source.clock != "seconds":
        return comparison, None, board.flags
    return comparison, attribute(frame, a, b, board.rules), board.flags
