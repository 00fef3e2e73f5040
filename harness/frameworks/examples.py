"""What a backend is given: a model's source, examples, and how they are evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.submission.state import HostArray
from workloads.spec import Augmentation, Sizes

Parameters = Mapping[str, npt.NDArray[np.float32]]
"""Parameters and buffers by name, at the border of a framework."""


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
    """One split: inputs and targets (examples, ...); the loss says of which type targets are."""

    inputs: HostArray
    targets: HostArray
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


def in_order(examples: Examples, order: npt.NDArray[np.int64]) -> Examples:
    """The examples in another order (examples,), copied to memory."""
    return Examples(examples.inputs[order], examples.targets[order])


@dataclass(frozen=True)
class EvalConfig:
    """How the referee passes held-out examples."""

    batch: int
    """How many at once."""
    augmentation: Augmentation | None = None
    """Its crop, taken at the centre."""
