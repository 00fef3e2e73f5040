"""What a model says of its parameters and layers, once, for every framework.

A workload's `model.py` lists its parameters in a fixed order; that order, those names and those
shapes are what snapshots carry and what the referee checks. The layout is torch's, (out, in) for
matrices and (out, in, height, width) for kernels, in both frameworks.
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
    """What a parameter does, so that no submission guesses from names or shapes."""

    HIDDEN_MATRIX = "hidden_matrix"
    CONVOLUTION = "convolution"
    EMBEDDING = "embedding"
    OUTPUT = "output"
    NORM = "norm"
    BIAS = "bias"
    VECTOR = "vector"


@dataclass(frozen=True)
class Init:
    """How a parameter starts: `normal` or `uniform` with a standard deviation, or a constant."""

    kind: Literal["normal", "uniform", "constant"]
    value: float
    """The standard deviation of `normal` and `uniform`; the value of `constant`."""


@dataclass(frozen=True)
class WidthScale:
    """A factor that grows as a power of a width, 1 at the width's base."""

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
    normalised: bool = False
    """True if a normalisation follows, so that the weight's scale does not matter (for AdamC)."""
    splits: tuple[int, ...] = ()
    """Sizes along the output axis of matrices fused into one, such as query, key and value."""
    mup_multiplier: WidthScale = WidthScale()
    """What muP wants of the weight for its place in the model, beyond what its role and widths say.

    It is how a model has muP's multipliers without a multiplication that only muP would use: those
    of tied logits and of attention are put on a weight that is linear in them.
    """

    @property
    def size(self) -> int:
        """The number of its entries."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class BufferSpec:
    """State of the model that training moves and no gradient does: running batch statistics."""

    name: str
    shape: tuple[int, ...]
    value: float
    """What every entry starts at: 0 for a mean, 1 for a variance."""


STATISTICS_MOMENTUM = 0.1
"""The share of a batch's statistics in the running ones, in every framework."""


Spec = ParameterSpec | BufferSpec


@dataclass(frozen=True)
class LayerSpec:
    """One layer whose inputs and output-gradients a curvature method may capture."""

    name: str
    kind: Literal["linear", "convolution", "embedding", "recurrent"]
    weight: str
    """The name of its weight in the list of parameters."""
    bias: str | None = None
    shared_over: Literal["", "sequence", "space"] = ""
    """The axis over which one example uses the weight many times."""
    stride: int = 1
    padding: int = 0


def initial_value(spec: ParameterSpec, bits: np.random.Philox) -> Array:
    """Draw a parameter's start, the same on every machine up to the last bit of `ndtri`.

    Args:
        spec: the parameter.
        bits: the generator whose raw output is used; it advances by one draw an entry.

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
    """Draw all parameters of a model, in the order of the list.

    Args:
        specs: the model's parameters.
        bits: the instance's generator for weights.
    """
    return {spec.name: initial_value(spec, bits) for spec in specs}


def initial_buffers(specs: tuple[BufferSpec, ...]) -> dict[str, Array]:
    """The start of a model's buffers, in the order of the list."""
    return {spec.name: np.full(spec.shape, spec.value, dtype=np.float32) for spec in specs}
