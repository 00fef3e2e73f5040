"""The noisy quadratic model (Zhang et al., 2019): each example's minimum lies elsewhere.

    l(x; c) = 1/2 sum_i h_i (x_i - c_i)^2,   h_i = i^-power,   c_i ~ N(0, noise / h_i)

So the gradient's noise has the covariance noise * diag(h): the Hessian's shape, as near a minimum
of a network. With d dimensions the model returns r_i = sqrt(d h_i / 2) (x_i - c_i), whose mean
square is l. The inputs are standard normal draws minus their sample mean, so that the
training loss has its minimum at 0; the held-out example has c = 0, so that the held-out loss is the
excess 1/2 sum_i h_i x_i^2 itself. Sizes:

    dimensions   d; as many as the inputs have
    power        of the spectrum's decay; the condition number is d^power
    noise        the gradient's noise relative to the Hessian, for a batch of one
    init         the standard deviation of the start
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from workloads.parameters import Array, BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import validate_sizes
from workloads.spec import Count, Frozen, Positive, Sizes


class QuadraticSizes(Frozen):
    """The workload's validated `sizes`."""

    dimensions: Count = 100
    power: Annotated[float, Field(ge=0.0, le=6.0)] = 1.0
    noise: Annotated[float, Field(ge=0.0)] = 1.0
    init: Positive = 1.0

    @property
    def curvatures(self) -> Array:
        """h, (dimensions,), from 1 downwards."""
        ranks = np.arange(1, self.dimensions + 1, dtype=np.float64)
        return np.asarray(ranks**-self.power, dtype=np.float32)

    @property
    def weights(self) -> Array:
        """sqrt(d h / 2), (dimensions,)."""
        return np.asarray(np.sqrt(0.5 * self.dimensions * self.curvatures), dtype=np.float32)

    @property
    def noise_scales(self) -> Array:
        """sqrt(noise / h), (dimensions,): c is these times the inputs."""
        return np.asarray(np.sqrt(self.noise / self.curvatures), dtype=np.float32)


def validate(sizes: Sizes) -> QuadraticSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return validate_sizes(QuadraticSizes, sizes, "noisy_quadratic")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """The point x, (dimensions,), drawn from N(0, init^2)."""
    problem = validate(sizes)
    start = Init("normal", problem.init)
    size = problem.dimensions
    return (ParameterSpec("point", (size,), Role.VECTOR, 1, size, start),)


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """None: the spectrum, a buffer in torch, does not change."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """None: the parameter is not the weight of a layer."""
    del sizes
    return ()
