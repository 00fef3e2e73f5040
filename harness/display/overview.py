"""What a store's records say at a moment: how far its trials are. Nothing is locked or written."""

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
    """One trial, as its record stands."""

    record: TrialRecord
    changed_s: float
    """When its record grew last, in seconds since the epoch."""
    progress: Progress | None = None
    """Of one that has begun and not ended; it trains, or was interrupted."""
    values: tuple[float, ...] = ()
    """The target's metric so far, in the order of training."""


@dataclass(frozen=True)
class EntryView:
    """The trials of a submission on a workload."""

    workload: str
    submission: str
    trials: tuple[TrialView, ...]

    @property
    def changed_s(self) -> float:
        """When one of them grew last."""
        return max(view.changed_s for view in self.trials)

    @property
    def ended_count(self) -> int:
        """How many have a result."""
        return sum(view.record.result is not None for view in self.trials)

    def count(self, state: str) -> int:
        """How many ended in a state."""
        results = [view.record.result for view in self.trials]
        return sum(result is not None and result.state == state for result in results)

    @property
    def best_s(self) -> float:
        """The least time to the target, infinite if none has reached it."""
        results = [view.record.result for view in self.trials]
        times = [result.time_to_target_s for result in results if result is not None]
        return min((time_s for time_s in times if time_s is not None), default=math.inf)


@dataclass
class StoreReader:
    """Reads a store again and again; trials that have ended are read once.

    Args:
        store: a folder, as `harness run` wrote it.
    """

    store: Path
    _ended_views: dict[Path, TrialView] = field(default_factory=dict)

    def read(self) -> tuple[EntryView, ...]:
        """Its entries, those that changed last first.

        Raises:
            HarnessError: it holds no trial, or one cannot be read.
        """
        views = [self._view(path) for path in record_paths(self.store)]
        if not views:
            raise HarnessError(
                f"no trial lies in {self.store}", "`harness run --out DIR` writes trials there"
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
    """How long ago something was, in the largest unit that it fills."""
    seconds = max(0.0, time.time() - changed_s)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
