"""Read a folder of records: its frames, and its mismatches.

Each file is read once, parsed once and checked as it is read, which takes most of a score's time.
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
    """The contents of a folder of records after one pass over it."""

    results: pd.DataFrame
    """The results, as `harness.record.tables.results_frame` returns them."""
    evidence: Evidence
    """Mismatches of identities, hash chains and the ledger. No trial is replayed."""
    audits: tuple[TrialAudited, ...]
    """The audits in the folder's ledger, oldest first."""
    gatherer: G
    """What was gathered beside results."""


@dataclass(frozen=True, eq=False)
class StoreReading:
    """The frames of a folder of records, and its mismatches."""

    trials: pd.DataFrame
    """The results frame, one row per trial, with the targets that baselines set."""
    curves: Callable[[], pd.DataFrame]
    """Returns the curves frame; reads the folder again if the curves were not kept."""
    evidence: Evidence
    """The mismatches, as in `FolderContents`."""


def gather(out: Path, make_gatherer: Callable[[], G]) -> FolderContents[G]:
    """Read and check a folder of records in one pass, and gather data from its trials.

    Args:
        out: the folder of records.
        make_gatherer: makes a `harness.analysis.gatherer.Gatherer` of data beside results.

    Raises:
        HarnessError: the folder holds no trial, or one cannot be read.
    """
    from harness.analysis.shares import read_shares
    from scoring.evidence import Evidence

    rows, check = read_shares(out, make_gatherer)
    results = rows.results.frame(out, check.audits)
    mismatches = tuple(str(finding) for finding in check.findings if not finding.is_missing)
    evidence = Evidence(mismatches, check.missing)
    return FolderContents(results, evidence, tuple(check.audits), rows.gatherer)


def read_store(out: Path, *, keep_curves: bool = False, with_claims: bool = False) -> StoreReading:
    """Read and check a folder of records.

    Args:
        out: the folder of records.
        keep_curves: whether to keep the trials' evaluations, which take the most memory.
        with_claims: whether to keep the values claimed by workers as well.

    Raises:
        HarnessError: the folder does not exist, it holds no trial, or one cannot be read.
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
    return _reading(contents, contents.gatherer.frame)


def _reading(contents: FolderContents[Any], curves: Callable[[], pd.DataFrame]) -> StoreReading:
    from scoring.baselines import with_baseline_targets

    cached_curves = cache(curves)
    results = with_baseline_targets(contents.results, cached_curves)
    return StoreReading(results, cached_curves, contents.evidence)
