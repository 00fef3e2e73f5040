"""Rules for the step of any optimizer: cautious updates and decay, a fixed norm, looking ahead.

With u_t = w_t - w'_t the step that an optimizer makes from w_t to w'_t on the gradient g_t, d the
number of a tensor's entries, eta the point's learning rate and f_t the schedule's factor, a point
asks for

    cautious_updates = true     u <- d / (1 + sum(m)) m u,   m = [u g > 0]     each tensor
    cautious_decay = lambda     u <- u + eta f_t lambda [u w >= 0] w
    hyperball = eta_h           W <- ||W|| N(W - eta_h f_t ||W|| N(u)),   N(x) = x / ||x||_F
    lookahead_every = k         at every k-th step s <- s + alpha (w - s), w <- s, where s_0 = w_0

in this order, and w_{t+1} = w_t - u_t. Cautious updates move only entries whose step goes down the
current gradient; cautious decay acts only where decay and step agree. Hyperball keeps hidden
matrices and kernels at the norm that they start with, whatever the optimizer's rate and decay: of
its step they take the direction, and eta_h is a step's length relative to the weight. alpha is
`lookahead_alpha` (0.5).

Sources: Liang et al. (2024), "Cautious Optimizers", Algorithm 1; Chen et al. (2025), "Cautious
Weight Decay"; Wen et al. (2025), "Hyperball Optimization"; Zhang et al. (2019), "Lookahead
Optimizer".

Deviations: an optimizer's own decay is part of its step and so is masked with it (set
`weight_decay = 0` for the sources' form). `cautious_decay` has the rate of `learning_rate` for all
parameters, and leaves out what hyperball keeps at its norm. Between synchronisations lookahead's
fast weights are evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.errors import HarnessError
from harness.submission.interface import Hyperparameters
from workloads.parameters import ParameterSpec, Role

NAMES = ("cautious_updates", "cautious_decay", "hyperball", "lookahead_every")
"""The hyperparameters that turn a rule on; false or 0 is off."""
SETTINGS = (*NAMES, "lookahead_alpha")
"""The hyperparameters that are read here."""
HELD = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)
"""The roles that hyperball keeps at their norm."""


@dataclass(frozen=True)
class StepRules:
    """What a point asks for."""

    cautious: bool
    decay: float
    """eta lambda; f_t is the schedule's."""
    hyperball: float
    every: int
    alpha: float
    held: frozenset[str]
    """The names of the parameters that hyperball keeps at their norm."""


def step_rules(
    specs: Mapping[str, ParameterSpec], hyperparameters: Hyperparameters
) -> StepRules | None:
    """The rules of a point; None without any.

    Raises:
        HarnessError: a value is out of its range, or there is no learning rate to decay with.
    """
    if not any(hyperparameters.get(name) for name in NAMES):
        return None
    decay, hyperball = (float(hyperparameters.get(n, 0.0)) for n in ("cautious_decay", "hyperball"))
    every, alpha = hyperparameters.get("lookahead_every", 0), _alpha(hyperparameters)
    if not (decay >= 0.0 and hyperball >= 0.0 and every >= 0 and every == int(every)):
        raise HarnessError(
            f"cautious_decay is {decay}, hyperball {hyperball}, lookahead_every {every}",
            "allowed: at least 0, which is off; lookahead_every is a whole number of steps",
        )
    if decay and "learning_rate" not in hyperparameters:
        raise HarnessError(
            "cautious_decay is set, and the point has no learning_rate",
            "cautious_decay is multiplied by it; set cautious_decay = 0.0",
        )
    held = (name for name, spec in specs.items() if hyperball and spec.role in HELD)
    return StepRules(
        cautious=bool(hyperparameters.get("cautious_updates", False)),
        decay=decay * float(hyperparameters.get("learning_rate", 0.0)),
        hyperball=hyperball,
        every=int(every),
        alpha=alpha,
        held=frozenset(held),
    )


def refuse_rules(hyperparameters: Hyperparameters, reason: str) -> None:
    """Refuse a point that asks for a rule.

    Args:
        hyperparameters: the point.
        reason: why no rule can hold, as a clause.

    Raises:
        HarnessError: the point asks for one.
    """
    asked = [name for name in NAMES if hyperparameters.get(name)]
    if asked:
        raise HarnessError(
            f"{' and '.join(asked)} is set, and {reason}",
            f"leave out {', '.join(asked)}; rules for steps are for a build that returns an "
            "optimizer whose next step starts from its parameters",
        )


def _alpha(hyperparameters: Hyperparameters) -> float:
    alpha = float(hyperparameters.get("lookahead_alpha", 0.5))
    if not 0.0 < alpha <= 1.0:
        raise HarnessError(f"lookahead_alpha is {alpha}", "allowed: 0 < alpha <= 1")
    return alpha
