"""Single-index learning (Zhang et al., 2025): one direction, a link function, anisotropic inputs.

    x = Q diag(lambda)^(1/2) w,   w ~ N(0, I),   y = relu(b . x / s) + noise e,   e ~ N(0, 1)
    f(x) = F relu(G x),   loss = mean of (f(x) - y)^2

b is a random unit vector and s the standard deviation of b . x; lambda falls geometrically by the
factor `condition` and has mean 1, and Q is a rotation. So b has as much of each eigenvector of the
covariance, but those of low variance hardly matter to y. Direction and rotation are the same in
every instance, drawn from a published seed; samples and initial weights are the instance's. The
inputs are (w, e), and the model returns f(x) - y against targets of zero. Held-out examples have
e = 0. Sizes:

    inputs      the length of x
    hidden      the number of hidden units
    outputs     1
    condition   the condition number of the covariance
    noise       the standard deviation of the noise
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from workloads.landscapes.representation.model import Matrix, draw_mixing
from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import validate_sizes
from workloads.spec import Count, Frozen, Sizes

TEACHER_SEED = 20251201


class SingleIndexSizes(Frozen):
    """The workload's validated `sizes`."""

    inputs: Count = 50
    hidden: Count = 32
    outputs: Literal[1] = 1
    condition: Annotated[float, Field(ge=1.0)] = 100.0
    noise: Annotated[float, Field(ge=0.0)] = 0.1


@dataclass(frozen=True)
class Truth:
    """What the model has to learn.

    Args:
        mixing: Q diag(lambda)^(1/2), (inputs, inputs): x = mixing w.
        direction: b, (inputs,), of norm 1.
    """

    mixing: Matrix
    direction: npt.NDArray[np.float64]

    @property
    def index(self) -> npt.NDArray[np.float64]:
        """The vector (inputs,) whose product with w is b . x / s; its norm is 1."""
        projected = self.direction @ self.mixing
        unit: npt.NDArray[np.float64] = projected / np.linalg.norm(projected)
        return unit


@cache
def truth_of(sizes: SingleIndexSizes) -> Truth:
    """Direction and covariance at these sizes."""
    random = np.random.Generator(np.random.Philox(key=TEACHER_SEED))
    mixing = draw_mixing(random, sizes.inputs, sizes.condition)
    direction = random.standard_normal(sizes.inputs)
    return Truth(mixing, direction / np.linalg.norm(direction))


def validate(sizes: Sizes) -> SingleIndexSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return validate_sizes(SingleIndexSizes, sizes, "single_index")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """G, (hidden, inputs), and F, (1, hidden); no biases."""
    problem = validate(sizes)
    matrices = (
        ("hidden.weight", Role.HIDDEN_MATRIX, problem.inputs, problem.hidden, 2.0),
        ("output.weight", Role.OUTPUT, problem.hidden, problem.outputs, 1.0),
    )
    return tuple(
        ParameterSpec(name, (out, width), role, width, out, Init("normal", math.sqrt(gain / width)))
        for name, role, width, out, gain in matrices
    )


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """None: the teacher, a buffer in torch, does not change."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The two linear layers."""
    del sizes
    return tuple(LayerSpec(name, "linear", f"{name}.weight") for name in ("hidden", "output"))
