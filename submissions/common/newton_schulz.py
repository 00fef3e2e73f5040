"""Coefficients of Newton-Schulz iterations, X <- a X + (b X X^T + c (X X^T)^2) X."""

from __future__ import annotations

from harness.core.errors import UnknownNameError

Coefficients = tuple[float, float, float]
JORDAN: Coefficients = (3.4445, -4.7750, 2.0315)
"""Jordan et al. (2024), the same in every iteration."""
POLAR_EXPRESS: tuple[Coefficients, ...] = (
    (8.2277, -23.3694, 16.6510),
    (4.019, -2.9343, 0.5433),
    (3.5222, -2.5886, 0.5053),
    (2.4001, -1.7457, 0.4021),
)
"""As derived by Amsel et al. (2025): each is the odd quintic closest to 1 on the image of
[0.0028, 1] under the previous iterations; the last is scaled to end below 1.165. The first is
applied to x / 1.02, because half precision can round 1 up to 1.002, from which the four iterations
would otherwise diverge to 38,000.
"""
COEFFICIENTS: dict[str, tuple[Coefficients, ...]] = {
    "jordan": (JORDAN,),
    "polar_express": POLAR_EXPRESS,
}


def iterations(name: str, steps: int) -> tuple[Coefficients, ...]:
    """The coefficients of the first `steps` iterations; beyond the last, its values repeat.

    Raises:
        UnknownNameError: `name` is not in `COEFFICIENTS`.
    """
    if name not in COEFFICIENTS:
        raise UnknownNameError("coefficients", name, COEFFICIENTS)
    coefficients = COEFFICIENTS[name]
    return tuple(coefficients[min(step, len(coefficients) - 1)] for step in range(steps))
