"""Rules for the step of any optimizer: cautious updates and decay, norms, looking ahead.

With u_t = y_t - w'_t the step that an optimizer makes from y_t to w'_t on the gradient g_t there, d
the number of a tensor's entries, eta the point's learning rate and f_t the schedule's factor, a
point asks for

    ema_nesterov = beta         y <- w + beta F_t p within [start, end), else y = w
                                p <- gamma p + (1 - gamma) (w_{t+1} - w_t), after the step
    rest_cooldown = c           u <- (f_t / F_t) u,   F_t the larger of both schedules' factors
    cautious_updates = true     u <- d / (1 + sum(m)) m u,   m = [u g > 0]     each tensor
    update_floor = rho          U <- U max(1, eta f_t rho ||Y|| / ||U||)
    cautious_decay = lambda     u <- u + eta f_t lambda [u y >= 0] y
    hyperball = eta_h           W <- ||Y|| N(Y - eta_h f_t ||Y|| N(U)),   N(x) = x / ||x||_F
    lookahead_every = k         at every k-th step s <- s + alpha (w - s), w <- s, where s_0 = w_0

in this order, and w_{t+1} = y_t - u_t.

EMA-Nesterov looks ahead along an average of past displacements: gamma is `ema_nesterov_decay`
(0.99), start and end are the fractions of the horizon `ema_nesterov_start` (0.3) and
`ema_nesterov_end` (0.9). With `rest_cooldown` hidden matrices and kernels cool down over the
point's `cooldown`, all others over c; the optimizer runs at F_t. Cautious updates move only entries
whose step goes down the current gradient; cautious decay acts only where decay and step agree. The
floor lengthens steps of hidden matrices and kernels that are short beside the weights. Hyperball
keeps these at the norm that they start with, whatever the optimizer's rate and decay: of its step
they take the direction, and eta_h is a step's length relative to the weight. alpha is
`lookahead_alpha` (0.5).

Sources: Yau et al. (2026), "EMA-Nesterov", Algorithm 1; Liang et al. (2024), "Cautious Optimizers",
Algorithm 1; Chen et al. (2025), "Cautious Weight Decay"; Wen et al. (2025), "Hyperball
Optimization"; Zhang et al. (2019), "Lookahead Optimizer"; Jordan et al. (2026), records 9 (the
floor, rho = 0.35) and 24 (cooldowns of 0.8 and 0.4) of the optimization track.

Deviations: an optimizer's own decay is part of its step and so is masked and floored with it (set
`weight_decay = 0` for the sources' form). `cautious_decay` has the rate of `learning_rate` for all
parameters, and leaves out what hyperball keeps at its norm. Between synchronisations lookahead's
fast weights are evaluated. A separate cooldown scales a whole step, which is not the same as its
rate where a method's step is not proportional to that (amos, muown, prodigy).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from harness.core.errors import HarnessError
from harness.submission.interface import Hyperparameters, Schedule
from workloads.parameters import ParameterSpec, Role

NAMES = (
    "cautious_updates", "cautious_decay", "ema_nesterov", "hyperball", "lookahead_every",
    "rest_cooldown", "update_floor",
)  # fmt: skip
"""The hyperparameters that turn a rule on; false and 0 mean off."""
SETTINGS = (
    *(name for name in NAMES if name != "rest_cooldown"), "ema_nesterov_decay",
    "ema_nesterov_end", "ema_nesterov_start", "lookahead_alpha",
)  # fmt: skip
"""The hyperparameters that are read here; `rest_cooldown` is the schedule's."""
OF_THE_RATE = ("cautious_decay", "update_floor")
"""The ones that are multiplied by the learning rate."""
MATRICES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)
"""The roles to which hyperball, the floor and the schedule's own cooldown apply."""


@runtime_checkable
class SplitSchedule(Protocol):
    """A schedule whose own call is for hidden matrices and kernels."""

    def __call__(self, fraction: float, /) -> float:
        """Their factor."""
        ...

    def rest(self, fraction: float, /) -> float:
        """The factor of all other parameters."""
        ...


@dataclass(frozen=True)
class Progress:
    """The values of the schedules at one step."""

    fraction: float
    """Of the horizon."""
    matrices: float
    """f_t of hidden matrices and kernels."""
    rest: float
    """f_t of all others."""

    @property
    def factor(self) -> float:
        """F_t, at which the optimizer runs."""
        return max(self.matrices, self.rest)


@dataclass(frozen=True)
class Nesterov:
    """EMA-Nesterov; off where beta is 0."""

    beta: float
    gamma: float
    start: float
    end: float


@dataclass(frozen=True)
class StepRules:
    """The step rules of a point."""

    cautious: bool
    decay: float
    """eta lambda; f_t is the schedule's."""
    floor: float
    """eta rho."""
    hyperball: float
    every: int
    alpha: float
    nesterov: Nesterov
    matrices: frozenset[str]
    """The names of hidden matrices and kernels."""
    has_rest_cooldown: bool
    """Whether these have a cooldown of their own."""

    def is_held(self, name: str) -> bool:
        """Whether hyperball keeps a parameter at its norm."""
        return bool(self.hyperball) and name in self.matrices

    def floor_of(self, name: str) -> float:
        """eta rho of a parameter, 0 for none."""
        return self.floor if name in self.matrices else 0.0


def progress_of(
    schedule: Schedule | None, fraction: float, rules: StepRules | None = None
) -> Progress:
    """The values of a schedule; its method `rest` gives the factor of all other parameters."""
    factor = 1.0 if schedule is None else float(schedule(fraction))
    if rules is None or not rules.has_rest_cooldown or not isinstance(schedule, SplitSchedule):
        return Progress(fraction, factor, factor)
    return Progress(fraction, factor, float(schedule.rest(fraction)))


def step_rules(
    specs: Mapping[str, ParameterSpec],
    hyperparameters: Hyperparameters,
    schedule: Schedule | None = None,
) -> StepRules | None:
    """The rules of a point; None without any.

    Args:
        specs: of all parameters, by name.
        hyperparameters: a value for each hyperparameter of the point.
        schedule: what the submission's `build` returned.

    Raises:
        HarnessError: a value is out of range, a rule needs a learning rate and there is none, two
            rules exclude each other, or the schedule has no cooldown for the rest.
    """
    if not any(hyperparameters.get(name) for name in NAMES):
        return None
    numbers = {n: float(hyperparameters.get(n, 0.0)) for n in NAMES if n != "cautious_updates"}
    every, rate = numbers["lookahead_every"], float(hyperparameters.get("learning_rate", 0.0))
    wrong = [name for name, value in numbers.items() if not value >= 0.0]
    wrong += ["lookahead_every"] if every != int(every) else []
    if wrong:
        raise HarnessError(
            f"{wrong[0]} is {numbers[wrong[0]]}",
            "allowed: at least 0, which is off; lookahead_every is a whole number of steps",
        )
    _check_together(numbers, hyperparameters, schedule)
    return StepRules(
        cautious=bool(hyperparameters.get("cautious_updates", False)),
        decay=numbers["cautious_decay"] * rate,
        floor=numbers["update_floor"] * rate,
        hyperball=numbers["hyperball"],
        every=int(every),
        alpha=_alpha(hyperparameters),
        nesterov=_nesterov(hyperparameters),
        matrices=frozenset(name for name, spec in specs.items() if spec.role in MATRICES),
        has_rest_cooldown=bool(numbers["rest_cooldown"]),
    )


def refuse_rules(hyperparameters: Hyperparameters, reason: str) -> None:
    """Refuse a point that turns a rule on.

    Args:
        hyperparameters: a value for each hyperparameter of the point.
        reason: why no rule can be applied, as a clause.

    Raises:
        HarnessError: the point asks for one.
    """
    rules = [name for name in NAMES if hyperparameters.get(name)]
    if rules:
        raise HarnessError(
            f"{' and '.join(rules)} is set, and {reason}",
            f"leave out {', '.join(rules)}; rules for steps are for a build that returns an "
            "optimizer whose next step starts from its parameters",
        )


def _check_together(
    numbers: Mapping[str, float], hyperparameters: Hyperparameters, schedule: Schedule | None
) -> None:
    for name in OF_THE_RATE:
        if numbers[name] and "learning_rate" not in hyperparameters:
            raise HarnessError(
                f"{name} is set, and the point has no learning_rate",
                f"{name} is multiplied by it; set {name} = 0.0",
            )
    if numbers["hyperball"] and numbers["ema_nesterov"]:
        raise HarnessError(
            "hyperball and ema_nesterov are set, and a look-ahead point leaves the weights' sphere",
            "set one of them to 0.0",
        )
    if numbers["rest_cooldown"] and not isinstance(schedule, SplitSchedule):
        raise HarnessError(
            f"rest_cooldown is {numbers['rest_cooldown']}, and the schedule has no cooldown",
            'set schedule = "warmup_stable_decay" in a submission that has schedules, or leave '
            "rest_cooldown out",
        )


def _alpha(hyperparameters: Hyperparameters) -> float:
    alpha = float(hyperparameters.get("lookahead_alpha", 0.5))
    if not 0.0 < alpha <= 1.0:
        raise HarnessError(f"lookahead_alpha is {alpha}", "allowed: 0 < alpha <= 1")
    return alpha


def _nesterov(hyperparameters: Hyperparameters) -> Nesterov:
    gamma = float(hyperparameters.get("ema_nesterov_decay", 0.99))
    start, end = (
        float(hyperparameters.get(f"ema_nesterov_{name}", default))
        for name, default in (("start", 0.3), ("end", 0.9))
    )
    if not (0.0 <= gamma < 1.0 and 0.0 <= start < end <= 1.0):
        raise HarnessError(
            f"ema_nesterov_decay is {gamma}, ema_nesterov_start {start}, ema_nesterov_end {end}",
            "allowed: 0 <= decay < 1, and fractions of the horizon with 0 <= start < end <= 1",
        )
    return Nesterov(float(hyperparameters.get("ema_nesterov", 0.0)), gamma, start, end)
