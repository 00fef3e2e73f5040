"""Framework-independent descriptions of a model's parameters, buffers and layers.

A workload's `model.py` lists its parameters in a fixed order. Snapshots use this order with these
names and shapes, and the referee checks them. The layout is torch's in both frameworks: (out, in)
for matrices and (out, in, height, width) for kernels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Array = npt.NDArray[np.float32]


class Role(StrEnum):
    """A parameter's function in the model, so that submissions need not guess it."""

    HIDDEN_MATRIX = "hidden_matrix"
    CONVOLUTION = "convolution"
    EMBEDDING = "embedding"
    OUTPUT = "output"
    NORM = "norm"
    BIAS = "bias"
    VECTOR = "vector"


@dataclass(frozen=True)
class Init:
    """A parameter's initialisation: `normal` or `uniform` with a given spread, or constant."""

    kind: Literal["normal", "uniform", "constant"]
    value: float
    """The standard deviation of `normal` and `uniform`; the value of `constant`."""


@dataclass(frozen=True)
class WidthScale:
    """A factor that scales as a power of a width and is 1 at the base width."""

    power: float = 0.0
    width: int = 1
    base: float = 1.0

    @property
    def relative(self) -> float:
        """(width / base)^power."""
        return math.pow(self.width / self.base, self.power)

    @property
    def absolute(self) -> float:
        """width^power."""
        return math.pow(self.width, self.power)


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter: name, shape, role and the widths that scaling rules need."""

    name: str
    shape: tuple[int, ...]
    role: Role
    fan_in: int
    fan_out: int
    init: Init
    width_multiplier: float = 1.0
    """The width of the layer's input over the base width of the workload (for muP)."""
    is_normalised: bool = False
    """True if a normalisation follows, so the weight's scale does not matter (used by AdamC)."""
    splits: tuple[int, ...] = ()
    """Sizes along the output dimension of fused matrices, such as query, key and value."""
    mup_multiplier: WidthScale = WidthScale()
    """muP's multiplier for the weight's position in the model, beyond its role and widths.

    muP's multipliers on tied logits and attention are moved onto a weight that enters them
    linearly, so that the model needs no multiplication used only by muP.
    """

    @property
    def size(self) -> int:
        """The number of entries."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class BufferSpec:
    """Model state updated in training but not by gradients: running batch statistics."""

    name: str
    shape: tuple[int, ...]
    value: float
    """Initial value of every entry: 0 for a mean, 1 for a variance."""


STATISTICS_MOMENTUM = 0.1
"""Weight of the batch's statistics in an update of the running ones, in every framework."""


Spec = ParameterSpec | BufferSpec


@dataclass(frozen=True)
class LayerSpec:
    """A layer whose inputs and output gradients a curvature method may capture."""

    name: str
    kind: Literal["linear", "convolution", "embedding", "recurrent"]
    weight: str
    """Name of the weight parameter."""
    bias: str | None = None
    shared_over: Literal["", "sequence", "space"] = ""
    """The dimension over which the weight is applied many times per example."""
    stride: int = 1
    padding: int = 0


def initial_value(spec: ParameterSpec, bits: np.random.Philox) -> Array:
    """Draw a parameter's initial value, identical on all machines up to the last bit of `ndtri`.

    Args:
        spec: the parameter.
        bits: generator of raw words; advances by one word per entry.

    Returns:
        A float32 array of the parameter's shape.
    """
    if spec.init.kind == "constant":
        return np.full(spec.shape, spec.init.value, dtype=np.float32)
    raw = bits.random_raw(spec.size)
    uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    unit = ndtri(uniform) if spec.init.kind == "normal" else (2.0 * uniform - 1.0) * math.sqrt(3.0)
    return np.asarray(unit * spec.init.value, dtype=np.float32).reshape(spec.shape)


def initial_parameters(
    specs: tuple[ParameterSpec, ...], bits: np.random.Philox
) -> dict[str, Array]:
    """Draw all parameters of a model, in list order.

    Args:
        specs: the model's parameters.
        bits: the instance's generator for weights.
    """
    return {spec.name: initial_value(spec, bits) for spec in specs}


def initial_buffers(specs: tuple[BufferSpec, ...]) -> dict[str, Array]:
    """The initial values of a model's buffers, in list order."""
    return {spec.name: np.full(spec.shape, spec.value, dtype=np.float32) for spec in specs}
