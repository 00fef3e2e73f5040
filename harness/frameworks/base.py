"""The border between the benchmark and a framework: what its referee and its worker ask of one.

The referee holds an `EvaluationBackend`, the worker a `TrainingBackend`; neither imports torch or
jax itself. What crosses the border towards them is numpy or an array that they only pass on; what
crosses it towards a submission is the framework's own.
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
"""Diagnostics of which a framework says itself whether it computes them."""
LARGEST_CURVATURE = 1500
"""Parameters of the largest model whose curvature matrices are computed."""


class EvaluationLoss(Loss[ArrayT], Protocol[ArrayT]):
    """A loss as the referee sees it; each framework has a table of them by name."""

    def per_target(self, logits: ArrayT, targets: ArrayT) -> ArrayT:
        """The loss of each target, of which `value` is the mean."""
        ...

    def metrics(self, logits: ArrayT, targets: ArrayT) -> dict[str, ArrayT]:
        """Each metric of `workloads.losses`, as what its mean over all targets is taken of."""
        ...


class Evaluator(Protocol):
    """The referee's evaluation of a snapshot; it owns its model and its copy of the data.

    A snapshot holds the model's parameters and then its buffers, by name.
    """

    def batches(
        self, parameters: Parameters, split: str, start: int = 0
    ) -> Iterator[ExampleMetrics]:
        """What the workload's loss offers (`workloads.losses`) of each example, in order.

        A batch is evaluated when it is asked for, so whoever has enough need not pay for the rest.

        Args:
            parameters: the snapshot.
            split: which examples.
            start: from which on, the first of a batch.
        """
        ...

    def metrics(self, parameters: Parameters, split: str) -> dict[str, float]:
        """The means of these over a whole split."""
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
    """What a framework does for the referee, on one device."""

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
    """A problem as the worker sees it."""

    @property
    def counts(self) -> dict[str, int]:
        """Passes since training began: `forward`, `backward`, and `examples` sent forward."""
        ...

    def note_passes(self, forward: int, backward: int, examples: int) -> None:
        """Count passes that nothing else counts; `examples` were sent forward in all."""
        ...

    def recompute_statistics(
        self, parameters: Mapping[str, ArrayT], batches: Sequence[Batch[ArrayT]]
    ) -> None:
        """Set `buffers` to the mean statistics that some batches have under the parameters."""
        ...


class TrainingStream(Stream[ArrayT], Protocol[ArrayT]):
    """A stream as the worker sees it."""

    def seek(self, position: int) -> None:
        """Go on from another position."""
        ...


class TrainingBackend(Protocol[ArrayT]):
    """What a framework does for the worker, on one device, with arrays of its own.

    It is given back the problems that it made, and no others.
    """

    def pin(self) -> None:
        """Set threads, determinism and precision flags to the declared ones."""
        ...

    def synchronize(self) -> None:
        """Wait until the device has finished all queued work."""
        ...

    def pace(self, earlier: SupportsFloat | None) -> None:
        """Let no more than two steps be queued, so that a snapshot does not wait for many.

        Args:
            earlier: the loss of the step before the last one; all work is waited for if the
                submission returns none.
        """
        ...

    def problem(self, config: ProblemConfig) -> TrainingProblem[ArrayT]:
        """The submission's view of the workload, its parameters still zero."""
        ...

    def load(self, problem: Problem[ArrayT], parameters: Parameters) -> None:
        """Put parameters and buffers in place; seed every generator from the problem's seed."""
        ...

    def without_gradients(
        self, problem: Problem[ArrayT], names: Collection[str]
    ) -> AbstractContextManager[None] | None:
        """Within it, passes leave some parameters without a gradient, as where a loss does not
        depend on them; None in a framework where every parameter always has one.
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
        """Import a submission, whichever way it is written; `setup` is still to be called.

        Args:
            location: the path of a folder or a file, `module:Class`, or `algoperf:` and a path.
            hyperparameters: its point; `learning_rate` and `weight_decay` for `module:Class`.

        Raises:
            HarnessError: the location holds no submission for this framework.
        """
        ...

    def passes(self, problem: Problem[ArrayT]) -> Sequence[tuple[object, str]]:
        """The functions in which forward and backward passes happen, as owner and name."""
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
        """Write parameters into one array, as float32, one behind the other; returns when done.

        Args:
            parameters: by name, in any order.
            shapes: what they must be, in the order in which they are written.
            slot: where to.

        Raises:
            HarnessError: a name or a shape is another.
        """
        ...

    def to_host(self, value: object) -> tuple[HostArray, str] | None:
        """An array of the framework's or numpy's as numpy's, with a mark; None for what is none.

        It may share memory with the value.
        """
        ...

    def from_host(self, array: HostArray, mark: str) -> ArrayT | HostArray | np.generic:
        """What `to_host` gave, as it was, on the device: a copy."""
        ...

    def random_state(self, problem: Problem[ArrayT]) -> StateDict[ArrayT]:
        """The states of all generators: the framework's, the problem's, numpy's, python's."""
        ...

    def set_random_state(self, problem: Problem[ArrayT], state: StateDict[ArrayT]) -> None:
        """Put them back."""
        ...


@dataclass(frozen=True)
class Place:
    """One of the processes that train together, or the only one, with all devices."""

    world_size: int
    """How many devices train; one a process, or all of them in this one."""
    rank: int = 0
    rendezvous: str = ""
    """A file of the worker's own that all processes open to find each other; not there before."""


ALONE = Place(world_size=1)
"""One process with one device."""


@dataclass(frozen=True)
class Parallel(Generic[ArrayT]):
    """How a framework trains on several devices."""

    training: Callable[[str, int, Place], TrainingBackend[ArrayT]]
    """The worker's backend, from a device's name, CPU threads a device, and a place.

    The batches of its streams are those of one device: a process has its slice of each, or a device
    has where one process has all of them; and so are the losses that are means over a batch.
    """
    has_processes: bool
    """Whether each device has a process of its own, a rank; they meet on this machine's loopback.
    """
    draws_whole_masks: bool
    """Whether dropout draws masks for a whole batch, as on one device, and not for each slice."""


@dataclass(frozen=True)
class Backends(Generic[ArrayT]):
    """A framework's two backends, each made from a device and a number of threads."""

    evaluation: Callable[[str, int], EvaluationBackend]
    training: Callable[[str, int], TrainingBackend[ArrayT]]
    preloads: tuple[str, ...] = ()
    """Slow modules that submissions import; the parent of workers has them ready."""
    cuda: Callable[[], str | None] = lambda: None
    """The version of CUDA that the installed wheel is built for; None for processors alone."""
    parallel: Parallel[ArrayT] | None = None
    """How it trains on several devices; None if it does not."""
    diagnostics: tuple[str, ...] = ()
    """Those of `SECOND_ORDER` that its evaluator computes."""
