"""Check that a bundle's records can be scored together with those that a board shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.cli.site_records import Folders
from harness.core.errors import HarnessError


def require_fit(store: Path, shown: Sequence[Path], allowed_rules: Iterable[str]) -> None:
    """Score each suite and ruleset of a new folder together with the folders that are shown.

    The frame is the one that `harness site` scores: targets that a baseline sets apply across
    folders, and widths do not count.

    Args:
        store: the new folder of records.
        shown: the folders of records that the board will show beside it.
        allowed_rules: rules that the board may break.

    Raises:
        HarnessError: a folder cannot be read, the new one holds nothing that can be scored, or
            together they break a rule, which the message names.
    """
    from scoring.evaluate import score_results
    from scoring.rules import load_rules
    from scoring.standing import HELD_RULE
    from scoring.widths import without_widths

    folders = Folders()
    for folder in (*shown, store):
        folders.read(folder)
    for gap in folders.gaps:
        raise HarnessError(f"{gap.place} cannot be read: {gap.why}")
    new, everything = without_widths(folders.frames[-1]), folders.frame()
    for suite, ruleset in sorted(set(zip(new["suite"], new["ruleset"], strict=True))):
        here = everything["suite"].eq(suite) & everything["ruleset"].eq(ruleset)
        part = everything[here].reset_index(drop=True)
        score_results(part, load_rules(), allowed_rules={HELD_RULE, *allowed_rules})
