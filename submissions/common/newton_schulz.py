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
"""As Amsel et al. (2025) derive them: the odd quintic that is nearest to 1 on what the iteration
before left of [0.0028, 1]; the last one scaled to end below 1.165. The first one takes x / 1.02:
to 1.002, which half precision's rounding makes of 1, the four would else answer 38,000.
"""
COEFFICIENTS: dict[str, tuple[Coefficients, ...]] = {
    "jordan": (JORDAN,),
    "polar_express": POLAR_EXPRESS,
}


def iterations(name: str, steps: int) -> tuple[Coefficients, ...]:
    """The coefficients of some iterations; those beyond the last known repeat it.

    Raises:
        UnknownNameError: `name` is not in `COEFFICIENTS`.
    """
    if name not in COEFFICIENTS:
        raise UnknownNameError("coefficients", name, COEFFICIENTS)
    known = COEFFICIENTS[name]
    return tuple(known[min(step, len(known) - 1)] for step in range(steps))
