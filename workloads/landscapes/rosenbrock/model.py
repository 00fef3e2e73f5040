"""The Rosenbrock function (Rosenbrock, 1960) as a sum of two squares.

    f(x, y) = (1 - x)^2 + b (y - x^2)^2,   minimum 0 at (1, 1)
    r(x, y) = sqrt(2) (1 - x, sqrt(b) (y - x^2)),   f = (r_1^2 + r_2^2) / 2

The model returns r, so that under `squared_error` with targets 0 the loss is f, and its
Gauss-Newton matrix is that of the residuals. Sizes:

    start       the point (x, y) at which every trial begins
    steepness   b

The parameter is the displacement from the start, (1, 2), zero at first. Weight decay, where a
submission has it, pulls towards the start. It is a matrix, so that methods for matrices apply.
"""

from __future__ import annotations

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import validate_sizes
from workloads.spec import Frozen, Positive, Sizes


class RosenbrockSizes(Frozen):
    """The workload's validated `sizes`."""

    start: tuple[float, float] = (-1.5, 2.5)
    steepness: Positive = 100.0


def validate(sizes: Sizes) -> RosenbrockSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return validate_sizes(RosenbrockSizes, sizes, "rosenbrock")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """The displacement from the start, (1, 2)."""
    validate(sizes)
    start = Init("constant", 0.0)
    return (ParameterSpec("displacement", (1, 2), Role.HIDDEN_MATRIX, 2, 1, start),)


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """None."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """None: the parameter is not the weight of a layer."""
    del sizes
    return ()
