"""The referee's objects and settings for a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.frameworks.base import Evaluator
from harness.frameworks.examples import Parameters
from harness.protocol.messages import Hello
from harness.referee.checkpoint import Checkpoint
from harness.referee.idle import IdleProbe
from harness.referee.monitor import Reading
from harness.referee.statistics import BatchStatistics


@dataclass(frozen=True)
class TrialContext:
    """The referee's objects and settings for a trial."""

    hello: Hello
    train_folder: Path
    parameters: Parameters
    shapes: Mapping[str, tuple[int, ...]]
    """The shapes of a snapshot's arrays: parameters, then buffers."""
    evaluator: Evaluator
    diagnostics: Callable[[Parameters], dict[str, float]] | None
    """The diagnostics of each evaluated snapshot: the workload's own and those that the trial
    requests; None if there are none."""
    splits: tuple[str, ...]
    validation_examples: int
    """The number of examples in the validation split."""
    is_order_drawn: bool
    """Whether the split is shuffled for the instance, so that a part of it is a random sample."""
    statistics: BatchStatistics
    """Recomputes batch statistics for averaged weights."""
    reading: Reading
    """Reads the state of the machine."""
    idle: IdleProbe
    """Checks whether the device is idle."""
    start_s: float
    """When the attempt began, by `time.monotonic`."""
    memory_gib: float
    """The memory limit of each process of the worker."""
    trunk: Checkpoint | None = None
    """The checkpoint that a branch starts from; None for other trials."""
    ranks: int = 1
    """The number of processes that train together."""
