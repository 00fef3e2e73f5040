"""Coefficients of Newton-Schulz iterations, X <- a X + (b X X^T + c (X X^T)^2) X."""

from __future__ import annotations

from harness.errors import UnknownNameError

Coefficients = tuple[float, float, float]
JORDAN: Coefficients = (3.4445, -4.7750, 2.0315)
"""Jordan et al. (2024), the same in every iteration."""
POLAR_EXPRESS: tuple[Coefficients, ...] = (
    (8.3923, -24.7998, 18.3841),
    (4.019, -2.9343, 0.5433),
    (3.5222, -2.5886, 0.5053),
    (2.4001, -1.7457, 0.4021),
)
"""For [0.0028, 1], as Amsel et al. (2025) derive them: the odd quintic that is nearest to 1 on what
the iteration before left, with 1 % of room for rounding; the last one scaled to end below 1.165."""
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
