"""Converts a store to the frames of `scoring`: a row per trial, and a row per point of a curve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from harness.core.errors import HarnessError
from harness.plan.trial import TrialRecord
from harness.record.attempts import Attempt
from harness.record.ledger import Ledger
from harness.record.rows import result_row
from harness.record.schema import Diagnostics, Evaluation, OtherSplits, SnapshotTaken
from harness.record.schema.audited import TrialAudited
from harness.record.standing import with_marks
from harness.record.store import last_attempt, read_log, read_record, record_paths
from scoring.columns import CURVES, RESULTS
from scoring.schema import FrameRows

SPLITS = ("validation", "test", "probe", "diagnostics")


def results_frame(store: Path) -> pd.DataFrame:
    """All trials of a store; see `scoring.columns.RESULTS` for the columns.

    Marks follow from the convergence bands and the audits in the folder's ledger. The marks of a
    board's organiser are added separately (`harness.record.standing.with_marks`).

    Raises:
        HarnessError: the folder has no trials.
    """
    rows = ResultRows()
    for path in record_paths(store):
        rows.add(path.parent, read_record(path), read_log(path.parent).last)
    return rows.frame(store, audits_of(store))


def audits_of(store: Path) -> list[TrialAudited]:
    """The audits in a store's ledger; none if it is broken, which `harness verify` reports."""
    try:
        return Ledger(store).audits()
    except HarnessError:
        return []


def curves_frame(store: Path) -> pd.DataFrame:
    """All evaluations of a store in long form; see `scoring.columns.CURVES` for the columns.

    The splits `test` and `probe` have only the hit and the last snapshot; `diagnostics` has the
    workload's own diagnostics of each snapshot, if it has any.
    """
    rows = CurveRows()
    for path in record_paths(store):
        rows.add(read_record(path), read_log(path.parent).last)
    return rows.frame()


class ResultRows:
    """Collects the rows of a results frame."""

    def __init__(self) -> None:
        self._rows = FrameRows(RESULTS.names("record"))

    def add(self, folder: Path, record: TrialRecord, attempt: Attempt | None) -> None:
        """Add a trial by its folder, its record and its last attempt."""
        self._rows.add(result_row(folder, record, attempt))

    def extend(self, other: ResultRows) -> None:
        """Add other trials."""
        self._rows.extend(other._rows)

    def frame(self, store: Path, audits: Iterable[TrialAudited]) -> pd.DataFrame:
        """The results frame of a store's trials, with marks.

        Raises:
            HarnessError: there is none.
        """
        frame = self._rows.frame()
        if frame.empty:
            raise HarnessError(
                f"no trials in {store}", "`harness run --out DIR` writes trials into a folder"
            )
        return with_marks(frame, audits)


class CurveRows:
    """Collects the rows of a curves frame.

    Args:
        with_claims: whether to include the workers' claims at snapshots.
    """

    def __init__(self, *, with_claims: bool = False) -> None:
        self._rows: list[tuple[object, ...]] = []
        self._with_claims = with_claims

    def add(self, record: TrialRecord, attempt: Attempt | None) -> None:
        """Add the evaluations of a trial's last attempt."""
        if attempt is None:
            return
        self._rows += _curve(record, attempt)
        if self._with_claims:
            self._rows += _claims(record, attempt)

    def extend(self, other: CurveRows) -> None:
        """Add those of other trials."""
        self._rows += other._rows

    def frame(self) -> pd.DataFrame:
        """The curves frame of all trials."""
        return pd.DataFrame(self._rows, columns=list(CURVES.names("record")))


def _curve(record: TrialRecord, attempt: Attempt) -> Iterator[tuple[object, ...]]:
    """The rows of one trial's evaluations, in the order of `CURVES`."""
    for event in _all_evaluations(attempt):
        fraction = event.timed_s / record.trial.budget.runtime_s
        splits = event.splits
        for split in SPLITS:
            for metric, value in splits.get(split, {}).items():
                place = (record.identity, event.timed_s, event.step, event.examples, fraction)
                yield (*place, split, metric, value, _standard_error(event, metric))


def _standard_error(event: Evaluation | OtherSplits | Diagnostics, metric: str) -> float | None:
    """The standard error of a value from a part of its split; 0 for the whole split."""
    part = event.part if isinstance(event, Evaluation) else None
    return part.standard_errors.get(metric) if part else 0.0


def _claims(record: TrialRecord, attempt: Attempt) -> Iterator[tuple[object, ...]]:
    """Training loss and learning rate, as the worker claimed them at its snapshots."""
    for snapshot in attempt.all(SnapshotTaken):
        claims = snapshot.claims
        at = record.identity, snapshot.timed_s, snapshot.step, claims.examples
        place = (*at, snapshot.fraction)
        for metric in ("train_loss", "learning_rate"):
            if (value := getattr(claims, metric)) is not None:
                yield (*place, "claimed", metric, value, None)


class Interval(NamedTuple):
    """The interval between two snapshots of an attempt, or before the first one."""

    steps: int
    seconds: float

    @property
    def step_s(self) -> float:
        """Seconds a step."""
        return self.seconds / self.steps


def intervals(attempt: Attempt) -> list[Interval]:
    """The intervals between an attempt's snapshots in which steps were made."""
    snapshots = attempt.all(SnapshotTaken)
    marks = [(0, 0.0)] + [(snapshot.step, snapshot.timed_s) for snapshot in snapshots]
    return [
        Interval(last - first, end_s - start_s)
        for (first, start_s), (last, end_s) in pairwise(marks)
        if last > first
    ]


def evaluations(folder: Path) -> list[Evaluation]:
    """The evaluations of a trial in the order of its training steps."""
    attempt = last_attempt(folder)
    return sorted(_validations(attempt) if attempt else [], key=lambda event: event.step)


def all_evaluations(folder: Path) -> list[Evaluation | OtherSplits | Diagnostics]:
    """The same, with those on the other splits and the diagnostics."""
    attempt = last_attempt(folder)
    return _all_evaluations(attempt) if attempt else []


def _all_evaluations(attempt: Attempt) -> list[Evaluation | OtherSplits | Diagnostics]:
    events: list[Evaluation | OtherSplits | Diagnostics] = [
        *_validations(attempt),
        *attempt.all(OtherSplits),
        *attempt.all(Diagnostics),
    ]
    return sorted(events, key=lambda event: event.step)


def _validations(attempt: Attempt) -> list[Evaluation]:
    """The last evaluation of each snapshot, which has the largest part of the split."""
    evaluations = attempt.all(Evaluation)
    last = {event.grid: event for event in evaluations}
    return [event for event in evaluations if event.grid is None or event is last[event.grid]]
