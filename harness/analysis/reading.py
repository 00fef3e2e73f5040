"""One look at a folder of records: its frames, and what of it does not fit.

Each file is read once, parsed once and checked as it is read: most of the time of a score goes into
that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from harness.analysis.gatherer import G, Nothing
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import pandas as pd

    from harness.record.schema.audited import TrialAudited
    from scoring.evidence import Evidence


@dataclass(frozen=True, eq=False)
class FolderContents(Generic[G]):
    """What one look at a folder of records found."""

    results: pd.DataFrame
    """As `harness.record.tables.results_frame` gives them."""
    evidence: Evidence
    """What does not fit: identities, chains, the ledger. No trial is replayed."""
    audits: tuple[TrialAudited, ...]
    """Those in its ledger, in the order in which they were made."""
    beside: G
    """What was wanted beside."""


@dataclass(frozen=True, eq=False)
class StoreReading:
    """What a folder of records holds."""

    trials: pd.DataFrame
    """The results frame, with the targets that baselines set; a row a trial."""
    curves: Callable[[], pd.DataFrame]
    """Gives the curves frame, for which the folder is read again if it was not kept."""
    evidence: Evidence
    """What does not fit, as `FolderContents` has it."""


def gather(out: Path, beside: Callable[[], G]) -> FolderContents[G]:
    """Read a folder of records once, check what is read, and gather what is wanted of it.

    Args:
        out: the folder.
        beside: makes what gathers what is wanted beside results (`harness.analysis.gatherer`).

    Raises:
        HarnessError: it holds no trial, or one cannot be read.
    """
    from harness.analysis.shares import read_shares
    from scoring.evidence import Evidence

    rows, check = read_shares(out, beside)
    results = rows.results.frame(out, check.audits)
    mismatches = tuple(str(finding) for finding in check.findings if not finding.is_missing)
    evidence = Evidence(mismatches, check.missing)
    return FolderContents(results, evidence, tuple(check.audits), rows.beside)


def read_store(out: Path, *, keep_curves: bool = False, with_claims: bool = False) -> StoreReading:
    """Read a folder of records and check what is read.

    Args:
        out: the folder.
        keep_curves: whether to keep the trials' evaluations, which take the most memory.
        with_claims: whether what workers claimed between them is kept, too.

    Raises:
        HarnessError: there is no such folder, it holds no trial, or one cannot be read.
    """
    from harness.record.tables import CurveRows, curves_frame

    if not out.is_dir():
        raise HarnessError(
            f"there is no folder '{out}'",
            "make one: harness run --workload mlp --submission adamw --out OUT",
        )
    if not keep_curves:
        return _reading(gather(out, Nothing), lambda: curves_frame(out))
    contents = gather(out, partial(CurveRows, with_claims=with_claims))
    return _reading(contents, contents.beside.frame)


def _reading(contents: FolderContents[Any], curves: Callable[[], pd.DataFrame]) -> StoreReading:
    from scoring.baselines import with_baseline_targets

    cached_curves = cache(curves)
    results = with_baseline_targets(contents.results, cached_curves)
    return StoreReading(results, cached_curves, contents.evidence)
