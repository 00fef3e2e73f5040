"""The current progress of a store's trials, from its records; nothing is locked or written."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.errors import HarnessError
from harness.display.progress import Progress
from harness.plan.trial import TrialRecord
from harness.record.attempts import attempts_of
from harness.record.log import read_events
from harness.record.store import EVENTS_FILE, read_record, record_paths


@dataclass(frozen=True)
class TrialView:
    """A trial and its record so far."""

    record: TrialRecord
    changed_s: float
    """When its record last changed, in seconds since the epoch."""
    progress: Progress | None = None
    """The progress of a trial that is training or was interrupted; None otherwise."""
    values: tuple[float, ...] = ()
    """The values of the target's metric so far, in order of time."""


@dataclass(frozen=True)
class EntryView:
    """The trials of one submission on one workload."""

    workload: str
    submission: str
    trials: tuple[TrialView, ...]

    @property
    def changed_s(self) -> float:
        """When one of their records last changed, in seconds since the epoch."""
        return max(view.changed_s for view in self.trials)

    @property
    def ended_count(self) -> int:
        """The number of trials with a result."""
        return sum(view.record.result is not None for view in self.trials)

    def count(self, state: str) -> int:
        """The number of trials that ended in this state."""
        results = [view.record.result for view in self.trials]
        return sum(result is not None and result.state == state for result in results)

    @property
    def best_s(self) -> float:
        """The shortest time to the target, in seconds; infinite if no trial has reached it."""
        results = [view.record.result for view in self.trials]
        times = [result.time_to_target_s for result in results if result is not None]
        return min((time_s for time_s in times if time_s is not None), default=math.inf)


@dataclass
class StoreReader:
    """Reads a store repeatedly; ended trials are read only once.

    Args:
        store: the folder of the records, as `harness run` writes it.
    """

    store: Path
    _ended_views: dict[Path, TrialView] = field(default_factory=dict)

    def read(self) -> tuple[EntryView, ...]:
        """The store's entries, most recently changed first.

        Raises:
            HarnessError: the store holds no trial, or one cannot be read.
        """
        views = [self._view(path) for path in record_paths(self.store)]
        if not views:
            raise HarnessError(
                f"no trials in {self.store}", "`harness run --out DIR` writes trials there"
            )
        entries = [EntryView(*key, tuple(trials)) for key, trials in _by_entry(views).items()]
        return tuple(sorted(entries, key=lambda entry: -entry.changed_s))

    def _view(self, path: Path) -> TrialView:
        changed_s = path.stat().st_mtime
        earlier = self._ended_views.get(path)
        if earlier is not None and earlier.changed_s == changed_s:
            return earlier
        record = read_record(path)
        if record.result is None:
            return _view_unfinished(record, path.with_name(EVENTS_FILE), changed_s)
        self._ended_views[path] = TrialView(record, changed_s)
        return self._ended_views[path]


def _view_unfinished(record: TrialRecord, log: Path, changed_s: float) -> TrialView:
    attempts = attempts_of(read_events(log)) if log.exists() else []
    if not attempts or attempts[-1].end is not None:  # an end that `trial.json` lacks comes at once
        return TrialView(record, changed_s)
    progress, values = Progress(record.trial.trial, 0, record.trial), list[float]()
    for event in attempts[-1].events:
        progress.hear(event.data)
        if progress.metric is not None and values[-1:] != [progress.metric]:
            values.append(progress.metric)
    return TrialView(record, log.stat().st_mtime, progress, tuple(values))


def _by_entry(views: Iterable[TrialView]) -> dict[tuple[str, str], list[TrialView]]:
    entries: dict[tuple[str, str], list[TrialView]] = {}
    for view in views:
        trial = view.record.trial
        name = f"{trial.submission.name} ({trial.framework})"
        entries.setdefault((trial.workload, name), []).append(view)
    return entries


def ago(changed_s: float) -> str:
    """A duration since some moment as text, in the largest whole unit."""
    seconds = max(0.0, time.time() - changed_s)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
