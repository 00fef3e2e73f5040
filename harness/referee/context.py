"""What the referee brings to a trial."""

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
    """What the referee brings to a trial."""

    hello: Hello
    train_folder: Path
    parameters: Parameters
    shapes: Mapping[str, tuple[int, ...]]
    """Of what a snapshot must hold: parameters, then buffers."""
    evaluator: Evaluator
    diagnostics: Callable[[Parameters], dict[str, float]] | None
    """What is measured of each evaluated snapshot: the workload's own and those that the trial asks
    for; None for none."""
    splits: tuple[str, ...]
    validation_examples: int
    """How many the validation split has."""
    is_order_drawn: bool
    """Whether they lie in an order drawn for the instance, so that a part is like the whole."""
    statistics: BatchStatistics
    """Recomputes those of averaged weights."""
    reading: Reading
    """Reads the machine's conditions."""
    idle: IdleProbe
    """Looks whether the device is idle."""
    start_s: float
    """When the attempt began, by `time.monotonic`."""
    memory_gib: float
    """What each process of the worker may use."""
    trunk: Checkpoint | None = None
    """Where a branch begins."""
    ranks: int = 1
    """The processes that train together."""
