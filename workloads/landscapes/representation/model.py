"""Linear representation learning (Zhang et al., 2025): a teacher's features, anisotropic inputs.

    x = Q diag(lambda)^(1/2) w,   w ~ N(0, I),   y = F* G* x + noise e,   e ~ N(0, I)
    f(x) = F G x,   loss = mean over entries of (f(x) - y)^2

G* has `rank` orthonormal rows; lambda falls geometrically by the factor `condition` and has mean 1;
Q is a rotation, so that no single weight is aligned with an eigenvector of the covariance
Sigma = Q diag(lambda) Q^T. Teacher and rotation are the same in every instance, drawn from a
published seed; samples and initial weights are the instance's. The inputs are (w, e), and the model
returns f(x) - y against targets of zero, which is the same loss with the same curvature. Held-out
examples have e = 0. Sizes:

    inputs      the length of x
    rank        the number of features, of teacher and student
    outputs     the length of y
    condition   the condition number of Sigma
    noise       the standard deviation of an entry's noise
    has_batch_norm  whether the features are batch-normalised: f(x) = F norm(G x), norm(z) =
                gain * (z - mean) / deviation + bias, with the moments of the batch in training and
                running ones in evaluation (Ioffe and Szegedy, 2015)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import validate_sizes
from workloads.spec import Count, Frozen, Sizes

TEACHER_SEED = 20250211
Matrix = npt.NDArray[np.float64]


class RepresentationSizes(Frozen):
    """The workload's validated `sizes`."""

    inputs: Count = 50
    rank: Count = 8
    outputs: Count = 15
    condition: Annotated[float, Field(ge=1.0)] = 100.0
    noise: Annotated[float, Field(ge=0.0)] = 0.1
    has_batch_norm: bool = False

    @model_validator(mode="after")
    def _has_room_for_the_features(self) -> Self:
        if self.rank > min(self.inputs, self.outputs):
            least = min(self.inputs, self.outputs)
            raise ValueError(f"rank is {self.rank}; allowed: at most {least}, inputs and outputs")
        return self


@dataclass(frozen=True)
class Truth:
    """What the model has to learn.

    Args:
        mixing: Q diag(lambda)^(1/2), (inputs, inputs): x = mixing w.
        features: G*, (rank, inputs), with orthonormal rows.
        head: F*, (outputs, rank).
    """

    mixing: Matrix
    features: Matrix
    head: Matrix

    @property
    def covariance(self) -> Matrix:
        """Sigma, (inputs, inputs)."""
        return self.mixing @ self.mixing.T


@cache
def truth_of(sizes: RepresentationSizes) -> Truth:
    """Teacher and covariance at these sizes."""
    random = np.random.Generator(np.random.Philox(key=TEACHER_SEED))
    mixing = draw_mixing(random, sizes.inputs, sizes.condition)
    features, _ = np.linalg.qr(random.standard_normal((sizes.inputs, sizes.rank)))
    head = random.standard_normal((sizes.outputs, sizes.rank)) / math.sqrt(sizes.rank)
    return Truth(mixing, features.T, head)


def draw_mixing(random: np.random.Generator, inputs: int, condition: float) -> Matrix:
    """Q diag(lambda)^(1/2), (inputs, inputs): a random rotation, and a spectrum of mean 1."""
    rotation, _ = np.linalg.qr(random.standard_normal((inputs, inputs)))
    spectrum = np.geomspace(1.0, 1.0 / condition, inputs)
    scaled: Matrix = rotation * np.sqrt(spectrum / spectrum.mean())
    return scaled


def validate(sizes: Sizes) -> RepresentationSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return validate_sizes(RepresentationSizes, sizes, "representation")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """G, (rank, inputs), gain and bias of the norm, if there is one, and F, (outputs, rank)."""
    problem = validate(sizes)
    hidden, output = (
        ParameterSpec(name, (fan_out, fan_in), role, fan_in, fan_out, Init("normal", fan_in**-0.5))
        for name, role, fan_in, fan_out in (
            ("hidden.weight", Role.HIDDEN_MATRIX, problem.inputs, problem.rank),
            ("output.weight", Role.OUTPUT, problem.rank, problem.outputs),
        )
    )
    if not problem.has_batch_norm:
        return hidden, output
    gain, bias = (
        ParameterSpec(
            name, (problem.rank,), role, problem.rank, problem.rank, Init("constant", value)
        )
        for name, role, value in (("norm.weight", Role.NORM, 1.0), ("norm.bias", Role.BIAS, 0.0))
    )
    return replace(hidden, is_normalised=True), gain, bias, output


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """Running mean and variance of the norm, if there is one; the teacher does not change."""
    problem = validate(sizes)
    if not problem.has_batch_norm:
        return ()
    return tuple(
        BufferSpec(f"norm.{name}", (problem.rank,), value)
        for name, value in (("running_mean", 0.0), ("running_var", 1.0))
    )


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The two linear layers."""
    del sizes
    return tuple(LayerSpec(name, "linear", f"{name}.weight") for name in ("hidden", "output"))
