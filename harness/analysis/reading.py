"""One look at a folder of records: its frames, and what of it does not fit.

Each file is read once, parsed once and checked as it is read, as most of the time of a score goes
into that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import pandas as pd

    from scoring.evidence import Evidence


@dataclass(frozen=True, eq=False)
class StoreReading:
    """What a folder of records holds."""

    trials: pd.DataFrame
    """The results frame, with the targets that baselines set; a row a trial."""
    curves: pd.DataFrame | None
    """The curves frame; None if it was not asked for."""
    evidence: Evidence
    """What does not fit: identities, chains, the ledger. No trial is replayed."""


def read_store(out: Path, *, with_curves: bool = False) -> StoreReading:
    """Read a folder of records and check what is read.

    Args:
        out: the folder.
        with_curves: whether the trials' evaluations are wanted, which take the most memory.

    Raises:
        HarnessError: there is no such folder, it holds no trial, or one cannot be read.
    """
    from harness.record.store import read_log, read_trial_file, record_paths
    from harness.record.tables import CurveRows, ResultRows, curves_frame
    from harness.verification.store import StoreCheck
    from scoring.baselines import with_baseline_targets
    from scoring.evidence import Evidence

    if not out.is_dir():
        raise HarnessError(
            f"there is no folder '{out}'", "make one: harness run --workload mlp --out OUT"
        )
    check, results = StoreCheck(out, replays=False), ResultRows()
    curve_rows = CurveRows() if with_curves else None
    for path in record_paths(out):
        file, log = read_trial_file(path), read_log(path.parent)
        check.record(path, (file, log))
        results.add(path.parent, file.record, log.last)
        if curve_rows is not None:
            curve_rows.add(file.record, log.last)
    curves = None if curve_rows is None else curve_rows.frame()
    trials = with_baseline_targets(
        results.frame(out, check.audits), lambda: curves_frame(out) if curves is None else curves
    )
    mismatches = tuple(str(finding) for finding in check.findings if not finding.is_missing)
    return StoreReading(trials, curves, Evidence(mismatches, check.missing))
