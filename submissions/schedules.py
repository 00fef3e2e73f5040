"""Learning-rate schedules: from the share of the horizon spent, in [0, 1], to a factor.

All are plain functions of one float, so that every framework and the harness can use them. With
warmup share w, final factor f and share x, the factor rises as x / w while x < w; after that, with
u = (x - w) / (1 - w),

    constant               1
    linear                 1 - (1 - f) u
    cosine                 f + (1 - f) (1 + cos(pi u)) / 2
    warmup_stable_decay    1 until x = 1 - c, then linear from 1 to f over the cooldown share c

Linear decay to zero is what Defazio et al. (2023) find optimal for the last iterate; the stable
phase with a linear cooldown is that of Hägele et al. (2024) and Schaipp et al. (2025).
"""

from __future__ import annotations

import math

from harness.errors import HarnessError, UnknownNameError
from harness.interface import Hyperparameters, Schedule


def constant(warmup: float = 0.0) -> Schedule:
    """Warm up, then keep the base rate."""
    return _after_warmup(lambda _: 1.0, warmup)


def linear(warmup: float = 0.0, final_factor: float = 0.0) -> Schedule:
    """Warm up, then fall linearly to the final factor."""
    return _after_warmup(lambda share: 1.0 - (1.0 - final_factor) * share, warmup)


def cosine(warmup: float = 0.0, final_factor: float = 0.0) -> Schedule:
    """Warm up, then fall along half a cosine to the final factor."""

    def decay(share: float) -> float:
        return final_factor + (1.0 - final_factor) * 0.5 * (1.0 + math.cos(math.pi * share))

    return _after_warmup(decay, warmup)


def warmup_stable_decay(
    warmup: float = 0.0, cooldown: float = 0.3, final_factor: float = 0.0
) -> Schedule:
    """Warm up, stay, then fall linearly over the last `cooldown` share of the horizon.

    Raises:
        HarnessError: warmup and cooldown overlap.
    """
    if not 0.0 < cooldown <= 1.0 - warmup:
        raise HarnessError(
            f"cooldown is {cooldown}", f"allowed: above 0, at most 1 - warmup = {1.0 - warmup}"
        )

    def factor(share: float) -> float:
        if share < warmup:
            return share / warmup
        spent = (share - (1.0 - cooldown)) / cooldown
        return 1.0 - (1.0 - final_factor) * min(max(spent, 0.0), 1.0)

    return factor


NAMES = ("constant", "cosine", "linear", "warmup_stable_decay")


def from_hyperparameters(hyperparameters: Hyperparameters) -> Schedule:
    """The schedule that a point asks for.

    Args:
        hyperparameters: `schedule` (one of `NAMES`), `warmup` and, except for `constant`,
            `final_factor`; `cooldown` for `warmup_stable_decay`.

    Raises:
        UnknownNameError: there is no schedule of that name.
    """
    name = hyperparameters["schedule"]
    warmup = float(hyperparameters["warmup"])
    if name == "constant":
        return constant(warmup)
    if name not in NAMES:
        raise UnknownNameError("schedule", str(name), NAMES)
    final_factor = float(hyperparameters["final_factor"])
    if name == "warmup_stable_decay":
        return warmup_stable_decay(warmup, float(hyperparameters["cooldown"]), final_factor)
    return (linear if name == "linear" else cosine)(warmup, final_factor)


def _after_warmup(decay: Schedule, warmup: float) -> Schedule:
    if not 0.0 <= warmup < 1.0:
        raise HarnessError(f"warmup is {warmup}", "allowed: a share of the horizon, 0 <= w < 1")

    def factor(share: float) -> float:
        if share < warmup:
            return share / warmup
        return decay(min((share - warmup) / (1.0 - warmup), 1.0))

    return factor
