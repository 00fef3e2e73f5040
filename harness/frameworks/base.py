"""The border between the benchmark and a framework.

The referee and the worker hold an `Adapter` and never import torch or jax themselves. What crosses
the border towards them is numpy; what crosses it towards a submission is the framework's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.frameworks.order import Order
from harness.submission.interface import BudgetView, Hyperparameters, Submission
from workloads.spec import Augmentation, Sizes

Array = npt.NDArray[Any]
PROBE = {"cpu": (64, 1), "cuda": (2048, 8)}
"""Side and number of the matrix products of `Adapter.probe`: several milliseconds of a GPU, so
that one which other work shares is seen to be slower."""
Parameters = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class ModelSource:
    """Where the model comes from and how large it is."""

    package: str
    """The workload's package: it holds `model.py`, `model_torch.py` and `model_jax.py`."""
    sizes: Sizes
    loss: str
    precision: str
    is_compiled: bool = False
    """Whether training passes go through torch.compile."""


@dataclass(frozen=True)
class Examples:
    """One split: inputs (examples, ...) and integer targets (examples, ...)."""

    inputs: Array
    targets: Array
    is_mapped: bool = False
    """Whether batches are gathered from the memory-mapped arrays, for want of space."""

    @classmethod
    def open(cls, folder: Path, limit_gib: float) -> Examples:
        """Map `inputs.npy` and `targets.npy` of a split's folder.

        Args:
            folder: where they lie.
            limit_gib: a larger split stays mapped; a smaller one may be copied to the device.
        """
        inputs = np.load(folder / "inputs.npy", mmap_mode="r", allow_pickle=False)
        targets = np.load(folder / "targets.npy", mmap_mode="r", allow_pickle=False)
        is_mapped = inputs.nbytes + targets.nbytes > limit_gib * 2**30
        return cls(inputs, targets, is_mapped)


@dataclass(frozen=True)
class EvalConfig:
    """How the referee passes held-out examples."""

    batch: int
    """How many at once."""
    augmentation: Augmentation | None = None
    """Its crop, taken at the centre."""


class Evaluator(Protocol):
    """The referee's evaluation of a snapshot; it owns its model and its copy of the data.

    A snapshot holds the model's parameters and then its buffers, by name.
    """

    def metrics(self, parameters: Parameters, split: str) -> dict[str, float]:
        """`loss` (mean, nats) and `accuracy` (share) on a whole held-out split."""
        ...

    def probe(self, parameters: Parameters) -> dict[str, float]:
        """`loss` and `gradient_norm` on the fixed batch of training examples."""
        ...


class Adapter(Protocol):
    """What one framework does for the referee and the worker, on one device."""

    def pin(self) -> None:
        """Set threads, determinism and precision flags to the declared ones."""
        ...

    def synchronize(self) -> None:
        """Wait until the device has finished all queued work."""
        ...

    def probe(self) -> None:
        """A small computation; returns when the device has finished it."""
        ...

    def passes(self, problem: Any) -> Sequence[tuple[Any, str]]:
        """The functions in which forward and backward passes happen, as owner and name."""
        ...

    def problem(
        self, source: ModelSource, budget: BudgetView, batch_size: int, examples: int, seed: int
    ) -> Any:
        """The submission's view of the workload, its parameters still zero."""
        ...

    def load(self, problem: Any, parameters: Parameters) -> None:
        """Put parameters and buffers in place; seed every generator from the problem's seed."""
        ...

    def stream(
        self,
        examples: Examples,
        order: Order,
        batch_size: int,
        augmentation: Augmentation | None = None,
    ) -> Any:
        """The training stream over the examples, from position 0."""
        ...

    def submission(self, location: str, hyperparameters: Hyperparameters) -> Submission:
        """Import a submission through any of its doors and wrap it as a `Submission`.

        Args:
            location: the path of a folder or a file, or `module:Class`.
            hyperparameters: its point; `learning_rate` and `weight_decay` for `module:Class`.

        Raises:
            HarnessError: the location holds no submission for this framework.
        """
        ...

    def export(self, parameters: Mapping[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
        """Parameters as contiguous float32 arrays that later steps do not change."""
        ...

    def to_host(self, value: Any) -> tuple[Array, str] | None:
        """An array of the framework's or numpy's as numpy's, with a mark; None for what is none.

        It may share memory with the value.
        """
        ...

    def from_host(self, array: Array, mark: str) -> Any:
        """What `to_host` gave, as it was, on the device: a copy."""
        ...

    def random_state(self, problem: Any) -> Mapping[str, Any]:
        """The states of all generators: the framework's, the problem's, numpy's, python's."""
        ...

    def set_random_state(self, problem: Any, state: Mapping[str, Any]) -> None:
        """Put them back."""
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
