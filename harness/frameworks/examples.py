"""The inputs of a backend: a model's source, examples, and evaluation settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.submission.state import HostArray
from workloads.spec import Augmentation, Sizes

Parameters = Mapping[str, npt.NDArray[np.float32]]
"""Parameters and buffers by name, as numpy arrays outside any framework."""


@dataclass(frozen=True)
class ModelSource:
    """The package, sizes, loss and precision of a model."""

    package: str
    """The workload's package, with `model.py`, `model_torch.py` and `model_jax.py`."""
    sizes: Sizes
    loss: str
    precision: str
    is_compiled: bool = False
    """Whether training passes are compiled by torch.compile."""


@dataclass(frozen=True)
class Examples:
    """One split: inputs and targets (examples, ...); the targets' dtype depends on the loss."""

    inputs: HostArray
    targets: HostArray
    is_mapped: bool = False
    """Whether batches are gathered from memory-mapped arrays, the split being too large to copy."""

    @classmethod
    def open(cls, folder: Path, limit_gib: float) -> Examples:
        """Map `inputs.npy` and `targets.npy` of a split's folder.

        Args:
            folder: the split's folder.
            limit_gib: a split of more GiB stays memory-mapped; a smaller one may be copied to the
                device.
        """
        inputs = np.load(folder / "inputs.npy", mmap_mode="r", allow_pickle=False)
        targets = np.load(folder / "targets.npy", mmap_mode="r", allow_pickle=False)
        is_mapped = inputs.nbytes + targets.nbytes > limit_gib * 2**30
        return cls(inputs, targets, is_mapped)


def in_order(examples: Examples, order: npt.NDArray[np.int64]) -> Examples:
    """A copy of the examples in the order of the indices `order` (examples,)."""
    return Examples(examples.inputs[order], examples.targets[order])


@dataclass(frozen=True)
class EvalConfig:
    """How the referee evaluates held-out examples."""

    batch: int
    """Examples per batch."""
    augmentation: Augmentation | None = None
    """The training augmentation, of which only the crop is applied, at the centre."""
