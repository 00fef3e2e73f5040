"""The framework interface: what the referee and the worker need from torch or jax.

The referee holds an `EvaluationBackend`, the worker a `TrainingBackend`; neither imports torch or
jax itself. They receive numpy arrays, or framework arrays that they only pass on; a submission
receives the framework's own types.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, SupportsFloat

import numpy as np
import numpy.typing as npt

from harness.frameworks.examples import EvalConfig, Examples, ModelSource, Parameters
from harness.frameworks.metrics import ExampleMetrics
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.submission.interface import (
    Batch,
    Hyperparameters,
    Loss,
    Problem,
    Stream,
    Submission,
)
from harness.submission.state import ArrayT, HostArray, StateDict
from workloads.spec import Augmentation

SECOND_ORDER = ("sharpness", "curvature")
"""Optional diagnostics: each framework declares which of them it computes."""
LARGEST_CURVATURE = 1500
"""The largest model whose curvature matrices are computed, in parameters."""


class EvaluationLoss(Loss[ArrayT], Protocol[ArrayT]):
    """A loss as the referee uses it; each framework has a table of them by name."""

    def per_target(self, logits: ArrayT, targets: ArrayT) -> ArrayT:
        """The loss of each target; `value` is their mean."""
        ...

    def metrics(self, logits: ArrayT, targets: ArrayT) -> dict[str, ArrayT]:
        """Per-target values of the metrics of `workloads.losses`; a metric is their mean."""
        ...


class Evaluator(Protocol):
    """Evaluates snapshots for the referee, with its own model and its own copy of the data.

    A snapshot holds the model's parameters, then its buffers, by name.
    """

    def batches(
        self, parameters: Parameters, split: str, start: int = 0
    ) -> Iterator[ExampleMetrics]:
        """The metrics of the workload's loss (`workloads.losses`) for each example, in order.

        Lazy: each batch is evaluated when the iterator reaches it, so a caller can stop early.

        Args:
            parameters: the weights to evaluate, arrays by name.
            split: `validation` or `test`.
            start: index of the first example, a multiple of the evaluation batch size.
        """
        ...

    def metrics(self, parameters: Parameters, split: str) -> dict[str, float]:
        """The mean of each metric over a whole split."""
        ...

    def probe(self, parameters: Parameters) -> dict[str, float]:
        """On the fixed batch of training examples: `loss`, `gradient_norm`, `gradient_norm_l1`."""
        ...

    def sharpness(self, parameters: Parameters) -> dict[str, float]:
        """On that batch: `sharpness`, the largest eigenvalue of the loss's Hessian.

        Raises:
            HarnessError: the framework does not compute it.
        """
        ...

    def curvature(self, parameters: Parameters) -> dict[str, float]:
        """Curvature matrices on that batch: see `harness.frameworks.torch.curvature`.

        Raises:
            HarnessError: the framework does not compute them, or the model is too large.
        """
        ...


class EvaluationBackend(Protocol):
    """A framework's services for the referee, on one device."""

    def pin(self) -> None:
        """Set threads, determinism and precision flags to the declared ones."""
        ...

    def probe(self) -> None:
        """A small computation; returns when the device has finished it. The first takes longer."""
        ...

    def evaluator(
        self,
        source: ModelSource,
        splits: Mapping[str, Examples],
        probe: Examples,
        eval_config: EvalConfig,
    ) -> Evaluator:
        """An evaluator with its own model and its own copy of the splits on the device."""
        ...


class TrainingProblem(Problem[ArrayT], Protocol[ArrayT]):
    """What the worker needs from a problem."""

    @property
    def counts(self) -> dict[str, int]:
        """Passes since training began: `forward`, `backward`, and `examples` sent forward."""
        ...

    def note_passes(self, forward: int, backward: int, examples: int) -> None:
        """Add passes that are not counted automatically; `examples` is the total sent forward."""
        ...

    def recompute_statistics(
        self, parameters: Mapping[str, ArrayT], batches: Sequence[Batch[ArrayT]]
    ) -> None:
        """Set `buffers` to the mean statistics that some batches have under the parameters."""
        ...


class TrainingStream(Stream[ArrayT], Protocol[ArrayT]):
    """What the worker needs from a training stream."""

    def seek(self, position: int) -> None:
        """Continue from another position."""
        ...


class TrainingBackend(Protocol[ArrayT]):
    """A framework's services for the worker, on one device, with its own array type.

    The problems passed to its methods are always ones that it created.
    """

    def pin(self) -> None:
        """Set threads, determinism and precision flags to the declared ones."""
        ...

    def synchronize(self) -> None:
        """Wait until the device has finished all queued work."""
        ...

    def pace(self, earlier: SupportsFloat | None) -> None:
        """Keep at most two steps queued on the device, so that a snapshot does not wait for many.

        Args:
            earlier: the loss of the step before the last one; None if the submission returns no
                loss, in which case all queued work is awaited.
        """
        ...

    def problem(self, config: ProblemConfig) -> TrainingProblem[ArrayT]:
        """The submission's view of the workload; its parameters are still zero."""
        ...

    def load(self, problem: Problem[ArrayT], parameters: Parameters) -> None:
        """Load parameters and buffers; seed every generator from the problem's seed."""
        ...

    def without_gradients(
        self, problem: Problem[ArrayT], names: Collection[str]
    ) -> AbstractContextManager[None] | None:
        """A context in which passes give these parameters no gradient, as if the loss did not
        depend on them; None in a framework where every parameter always has a gradient.
        """
        ...

    def stream(
        self,
        examples: Examples,
        order: Order,
        batch_size: int,
        augmentation: Augmentation | None = None,
    ) -> TrainingStream[ArrayT]:
        """The training stream over the examples, from position 0."""
        ...

    def submission(self, location: str, hyperparameters: Hyperparameters) -> Submission[ArrayT]:
        """Import a submission of any supported kind; `setup` has not been called yet.

        Args:
            location: the path of a folder or a file, `module:Class`, or `algoperf:` and a path.
            hyperparameters: its values by name; `learning_rate` and `weight_decay` for
                `module:Class`.

        Raises:
            HarnessError: the location holds no submission for this framework.
        """
        ...

    def passes(self, problem: Problem[ArrayT]) -> Sequence[tuple[object, str]]:
        """The functions that run forward and backward passes, as (owner, attribute name)."""
        ...

    def export(self, parameters: Mapping[str, ArrayT]) -> dict[str, npt.NDArray[np.float32]]:
        """Parameters as contiguous float32 arrays that later steps do not change."""
        ...

    def export_into(
        self,
        parameters: Mapping[str, ArrayT],
        shapes: Mapping[str, tuple[int, ...]],
        slot: npt.NDArray[np.float32],
    ) -> None:
        """Write parameters into one array as contiguous float32; returns when the copy is complete.

        Args:
            parameters: by name, in any order.
            shapes: their expected shapes, in the order in which they are written.
            slot: the array to write to.

        Raises:
            HarnessError: a name or a shape differs from the expected one.
        """
        ...

    def to_host(self, value: object) -> tuple[HostArray, str] | None:
        """A framework or numpy array as a numpy array and a type mark; None for any other value.

        It may share memory with the value.
        """
        ...

    def from_host(self, array: HostArray, mark: str) -> ArrayT | HostArray | np.generic:
        """The inverse of `to_host`: a copy, on the device."""
        ...

    def random_state(self, problem: Problem[ArrayT]) -> StateDict[ArrayT]:
        """The states of all generators: the framework's, the problem's, numpy's, python's."""
        ...

    def set_random_state(self, problem: Problem[ArrayT], state: StateDict[ArrayT]) -> None:
        """Restore these states."""
        ...


@dataclass(frozen=True)
class Place:
    """One training process: a rank among several, or the only one, which has all devices."""

    world_size: int
    """The number of training devices: one per process, or all of them in this one."""
    rank: int = 0
    rendezvous: str = ""
    """Path of a file, not yet existing, through which the processes find each other."""


ALONE = Place(world_size=1)
"""A single process with a single device."""


@dataclass(frozen=True)
class Parallel(Generic[ArrayT]):
    """How a framework trains on several devices."""

    training: Callable[[str, int, Place], TrainingBackend[ArrayT]]
    """Makes the worker's backend from a device name, CPU threads per device, and a place.

    Its streams yield the same global batches as on one device, divided among processes or, where
    one process has all devices, among devices. Losses are means over the local slice of a process,
    or over the whole batch in a single process.
    """
    has_processes: bool
    """Whether each device has its own process (rank); they communicate over the loopback interface.
    """
    draws_whole_masks: bool
    """Whether dropout masks are drawn for the whole batch, as on one device, not for each slice."""


@dataclass(frozen=True)
class Backends(Generic[ArrayT]):
    """A framework's two backends, each made from a device and a number of threads."""

    evaluation: Callable[[str, int], EvaluationBackend]
    training: Callable[[str, int], TrainingBackend[ArrayT]]
    preloads: tuple[str, ...] = ()
    """Modules slow to import that submissions use; the process that forks workers preloads them."""
    cuda: Callable[[], str | None] = lambda: None
    """The CUDA version of the installed wheel; None for a CPU-only one."""
    parallel: Parallel[ArrayT] | None = None
    """How it trains on several devices; None if it does not."""
    diagnostics: tuple[str, ...] = ()
    """The members of `SECOND_ORDER` that its evaluator computes."""
