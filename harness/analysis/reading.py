"""One look at a folder of records: its frames, and what of it does not fit.

Each file is read once, parsed once and checked as it is read: most of the time of a score goes into
that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
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
    curves: Callable[[], pd.DataFrame]
    """Gives the curves frame, for which the folder is read again if it was not kept."""
    evidence: Evidence
    """What does not fit: identities, chains, the ledger. No trial is replayed."""


def read_store(out: Path, *, keep_curves: bool = False) -> StoreReading:
    """Read a folder of records and check what is read.

    Args:
        out: the folder.
        keep_curves: whether to keep the trials' evaluations, which take the most memory.

    Raises:
        HarnessError: there is no such folder, it holds no trial, or one cannot be read.
    """
    from harness.analysis.shares import read_shares
    from harness.record.tables import curves_frame
    from scoring.baselines import with_baseline_targets
    from scoring.evidence import Evidence

    if not out.is_dir():
        raise HarnessError(
            f"there is no folder '{out}'", "make one: harness run --workload mlp --out OUT"
        )
    rows, check = read_shares(out, keep_curves=keep_curves)
    curves = cache(lambda: rows.curves.frame() if keep_curves else curves_frame(out))
    trials = with_baseline_targets(rows.results.frame(out, check.audits), curves)
    mismatches = tuple(str(finding) for finding in check.findings if not finding.is_missing)
    return StoreReading(trials, curves, Evidence(mismatches, check.missing))
