"""Learning-rate schedules, from the fraction of the horizon elapsed, in [0, 1], to a factor.

All are plain functions of one float, so that every framework and the harness can use them. With
warmup fraction w, final factor f and elapsed fraction x, the factor rises as x / w while x < w;
after that, with u = (x - w) / (1 - w), it is

    constant               1
    linear                 1 - (1 - f) u
    cosine                 f + (1 - f) (1 + cos(pi u)) / 2
    exponential            f^u
    step                   f^(k / n),   k = floor((n + 1) u) of n `drops`
    warmup_stable_decay    1 until x = 1 - c, then the cooldown over the fraction c, below
    refined                from recorded gradient norms: `common.refinement`

`one_cycle` rises along half a cosine from `initial_factor` to 1, and falls along another to f.
The cooldown's phi falls from 1 to 0 over its own fraction s:

    linear    1 - s                     cosine            (1 + cos(pi s)) / 2
    sqrt      1 - sqrt(s)               lowered_linear    1 - s, from 0.7 on: see below
    power_0.7 1 - s^0.7                 power_law         (1 - s)^p, p = `cooldown_power` (1.2)

With `rest_cooldown` all parameters but hidden matrices and kernels cool down over a fraction of
their own, see `harness.submission.step_rules`.

A cooldown is f + (b - f) phi(s), where it starts at b: 1, but 0.7 for `lowered_linear`, which drops
there at once. That is the "0.7" of Dremov et al., as in their first author's scheduler, whose
linear cooldown may start at a factor below 1.

Sources: Defazio et al. (2023) find linear decay to zero optimal for the last iterate; the stable
phase with a cooldown and 1 - sqrt are due to Hägele et al. (2024); Dremov et al. (2025) find sqrt
and lowered linear with 0.7 best; power_0.7 lies between linear and sqrt; power_law ("PowerCool")
and separate cooldowns are from the optimization track of modded-nanogpt (Jordan et al., 2026);
one_cycle is due to Smith (2018), in the form of `torch.optim.lr_scheduler.OneCycleLR`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import refinement
from submissions.common.composed_schedules import SchedulePair, SpikeSchedule

COOLDOWNS: dict[str, Callable[[float], float]] = {
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
    "sqrt": lambda progress: 1.0 - math.sqrt(progress),
    "power_0.7": lambda progress: 1.0 - progress**0.7,
    "lowered_linear": lambda progress: 1.0 - progress,
}
SHAPES = (*COOLDOWNS, "power_law")
"""The names of cooldowns; the last one's power is chosen."""

LOWERED_START = 0.7
"""Where the lowered linear cooldown starts."""


def constant(warmup: float = 0.0) -> Schedule:
    """Warm up, then stay at the base learning rate."""
    return _after_warmup(lambda _: 1.0, warmup)


def linear(warmup: float = 0.0, final_factor: float = 0.0) -> Schedule:
    """Warm up, then fall linearly to the final factor."""
    return _after_warmup(lambda fraction: 1.0 - (1.0 - final_factor) * fraction, warmup)


def cosine(warmup: float = 0.0, final_factor: float = 0.0) -> Schedule:
    """Warm up, then fall along half a cosine to the final factor."""
    return _after_warmup(partial(_half_cosine, 1.0, final_factor), warmup)


def exponential(warmup: float = 0.0, final_factor: float = 0.01) -> Schedule:
    """Warm up, then decay exponentially to the final factor (above 0)."""
    _check_above_zero(final_factor)
    return _after_warmup(lambda fraction: final_factor**fraction, warmup)


def step(warmup: float = 0.0, final_factor: float = 0.001, drops: int = 3) -> Schedule:
    """Warm up, then fall to the final factor in equal drops at equal intervals."""
    _check_above_zero(final_factor)
    if drops < 1:
        raise HarnessError(f"drops is {drops}", "allowed: 1, 2, ...")

    def decay(fraction: float) -> float:
        return float(final_factor ** (min(math.floor((drops + 1) * fraction), drops) / drops))

    return _after_warmup(decay, warmup)


def one_cycle(
    warmup: float = 0.3, final_factor: float = 4e-6, initial_factor: float = 0.04
) -> Schedule:
    """Rise along half a cosine over the warmup fraction, then fall along another."""
    _check_warmup(warmup)

    def factor(fraction: float) -> float:
        if fraction < warmup:
            return _half_cosine(initial_factor, 1.0, fraction / warmup)
        return _half_cosine(1.0, final_factor, min((fraction - warmup) / (1.0 - warmup), 1.0))

    return factor


def warmup_stable_decay(
    warmup: float = 0.0,
    cooldown: float = 0.3,
    final_factor: float = 0.0,
    shape: str = "linear",
    power: float = 1.2,
) -> Schedule:
    """Warm up, stay constant, then decay over the last `cooldown` fraction of the horizon.

    Args:
        warmup: a fraction of the horizon.
        cooldown: a fraction of the horizon.
        final_factor: the factor at the end.
        shape: one of `SHAPES`.
        power: of the shape `power_law`.

    Raises:
        HarnessError: warmup and cooldown overlap, or the power is not positive.
        UnknownNameError: the shape is not one of `SHAPES`.
    """
    _check_warmup(warmup)
    if not 0.0 < cooldown <= 1.0 - warmup:
        raise HarnessError(
            f"cooldown is {cooldown}", f"allowed: above 0, at most 1 - warmup = {1.0 - warmup}"
        )
    fall = _cooldown(shape, power)
    start = max(LOWERED_START, final_factor) if shape == "lowered_linear" else 1.0

    def factor(fraction: float) -> float:
        if fraction < warmup:
            return fraction / warmup
        progress = (fraction - (1.0 - cooldown)) / cooldown
        if progress < 0.0:
            return 1.0
        return final_factor + (start - final_factor) * fall(min(progress, 1.0))

    return factor


def _cooldown(shape: str, power: float) -> Callable[[float], float]:
    """phi, a function of the elapsed fraction of the cooldown."""
    if shape not in SHAPES:
        raise UnknownNameError("cooldown_shape", shape, SHAPES)
    if not power > 0.0:
        raise HarnessError(f"cooldown_power is {power}", "allowed: above 0")
    return COOLDOWNS.get(shape, lambda progress: float((1.0 - progress) ** power))


def state_of(schedule: Schedule | None) -> dict[str, int]:
    """The state of a schedule, such as its call count; empty for most."""
    return schedule.state_dict() if isinstance(schedule, SpikeSchedule) else {}


def restore(schedule: Schedule | None, state: Mapping[str, int]) -> None:
    """Restore the state returned by `state_of`."""
    if isinstance(schedule, SpikeSchedule):
        schedule.load_state_dict(state)


NAMES = (
    "constant",
    "cosine",
    "exponential",
    "linear",
    "one_cycle",
    "refined",
    "step",
    "warmup_stable_decay",
)


def from_hyperparameters(hyperparameters: Hyperparameters, spike_phase: int = 0) -> Schedule:
    """Build the schedule described by a point.

    Args:
        hyperparameters: `schedule` (one of `NAMES`), `warmup` and, except for `constant` and
            `refined`, `final_factor`; `cooldown` and optionally `cooldown_shape`, `cooldown_power`
            and `rest_cooldown` for `warmup_stable_decay`; `drops` for `step`; `initial_factor` for
            `one_cycle`; `gradient_norms` (space-separated numbers), `norm_power` and `smoothing`
            for `refined`. With any schedule `spike_factor` multiplies every `refresh_every`-th
            step's learning rate, from step `spike_phase` on.
        spike_phase: the method's phase, used if the point has none; see `SpikeSchedule`.

    Raises:
        UnknownNameError: there is no schedule of that name.
        HarnessError: the point asks for what its schedule does not have.
    """
    schedule = _build_named(hyperparameters)
    if rest := float(hyperparameters.get("rest_cooldown", 0.0)):
        schedule = _build_pair(schedule, rest, hyperparameters)
    factor = float(hyperparameters.get("spike_factor", 1.0))
    if factor == 1.0:
        return schedule
    if rest or "refresh_every" not in hyperparameters:
        other = "rest_cooldown is, too" if rest else "the point has no refresh_every"
        raise HarnessError(
            f"spike_factor is set, and {other}",
            "spikes are for methods whose preconditioner is refreshed (soap, shampoo, splus, ...) "
            "and for all parameters",
        )
    phase = hyperparameters.get("spike_phase", spike_phase)
    return SpikeSchedule(schedule, factor, int(hyperparameters["refresh_every"]), int(phase))


def _build_pair(schedule: Schedule, rest: float, point: Hyperparameters) -> SchedulePair:
    if point["schedule"] != "warmup_stable_decay":
        raise HarnessError(
            f"rest_cooldown is {rest}, and schedule is {point['schedule']!r}",
            'set schedule = "warmup_stable_decay", which has a cooldown',
        )
    return SchedulePair(schedule, _build_named({**point, "cooldown": rest}))


def _build_named(point: Hyperparameters) -> Schedule:
    name = point["schedule"]
    warmup = float(point["warmup"])
    if name not in NAMES:
        raise UnknownNameError("schedule", str(name), NAMES)
    if name == "constant":
        return constant(warmup)
    if name == "refined":
        return _after_warmup(refinement.from_point(point), warmup, is_compressed=False)
    final_factor = float(point["final_factor"])
    if name == "warmup_stable_decay":
        shape = str(point.get("cooldown_shape", "linear"))
        cooldown, power = float(point["cooldown"]), float(point.get("cooldown_power", 1.2))
        return warmup_stable_decay(warmup, cooldown, final_factor, shape, power)
    if name == "step":
        return step(warmup, final_factor, int(point.get("drops", 3)))
    if name == "one_cycle":
        return one_cycle(warmup, final_factor, float(point.get("initial_factor", 0.04)))
    return {"linear": linear, "cosine": cosine, "exponential": exponential}[name](
        warmup, final_factor
    )


def _half_cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * fraction))


def _check_above_zero(final_factor: float) -> None:
    if final_factor <= 0.0:
        raise HarnessError(f"final_factor is {final_factor}", "allowed here: above 0")


def _check_warmup(warmup: float) -> None:
    if not 0.0 <= warmup < 1.0:
        raise HarnessError(f"warmup is {warmup}", "allowed: a fraction of the horizon, 0 <= w < 1")


def _after_warmup(decay: Schedule, warmup: float, is_compressed: bool = True) -> Schedule:
    """Warm up linearly; `decay` spans the rest of the horizon, or all if not `is_compressed`."""
    _check_warmup(warmup)

    def factor(fraction: float) -> float:
        rest = min((fraction - warmup) / (1.0 - warmup), 1.0) if is_compressed else fraction
        if fraction < warmup:
            return fraction / warmup * decay(max(rest, 0.0))
        return decay(rest)

    return factor
