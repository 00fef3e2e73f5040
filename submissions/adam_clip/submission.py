"""Adam-Clip: Adam whose step sizes are kept between two multiples of SGD's learning rate.

    s_t = eta_t sqrt(1 - beta2^t) / (1 - beta1^t) / (sqrt(v_t) + epsilon)
    w_{t+1} = w_t - clip(s_t, p alpha_t, q alpha_t) m_t

with the moments of Adam and entrywise clipping; alpha is `sgd_learning_rate` under the same
schedule as eta, p is `lower` and q `upper`. With p = 0 and a q above all sizes this is Adam,
with p = q = 1 SGD with an averaged gradient.

Source: Keskar and Socher (2017), section 2: Adam-Clip(p, q), there (1, infinity) and (0, 1); a q
such as 1e6 serves as infinity. Deviations: weight decay, if any, is coupled.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.core.errors import HarnessError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import AdaptiveMethod, Group, TorchProblem, adaptive_settings
from submissions.common.vectors import chunks, state_lists

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""Where a bound is active, a step's size is SGD's, elsewhere Adam's."""


class AdamClip(AdaptiveMethod):
    """Adam with bounds on its step sizes.

    Beside `AdaptiveMethod`'s arguments it takes `low` and `high`, the bounds relative to `lr`.
    """

    def update(self, group: Group) -> None:
        """One step of every parameter that has a gradient."""
        rate, (beta1, beta2) = group["lr"], group["betas"]
        for step, parameters in chunks(self.state, group["params"]):
            gradients = [value.grad for value in parameters if value.grad is not None]
            if group["weight_decay"]:
                gradients = list(
                    torch._foreach_add(gradients, parameters, alpha=group["weight_decay"])
                )
            means, squares = state_lists(self.state, parameters, ("mean", "square"))
            torch._foreach_lerp_(means, gradients, 1.0 - beta1)
            # not by lerp, which makes NaN of a square that has overflowed
            torch._foreach_mul_(squares, beta2)
            torch._foreach_addcmul_(squares, gradients, gradients, 1.0 - beta2)
            sizes = torch._foreach_sqrt(squares)
            torch._foreach_add_(sizes, group["eps"])
            torch._foreach_reciprocal_(sizes)
            torch._foreach_mul_(sizes, rate * (1.0 - beta2**step) ** 0.5 / (1.0 - beta1**step))
            torch._foreach_clamp_min_(sizes, rate * group["low"])
            torch._foreach_clamp_max_(sizes, rate * group["high"])
            torch._foreach_addcmul_(parameters, means, sizes, -1.0)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """The method on all parameters, with its schedule."""
    low, high = float(hyperparameters["lower"]), float(hyperparameters["upper"])
    if not 0.0 <= low <= high:
        raise HarnessError(f"lower is {low}, upper {high}", "allowed: 0 <= lower <= upper")
    rate = float(hyperparameters["learning_rate"])
    relative = float(hyperparameters["sgd_learning_rate"]) / rate if rate else 0.0
    optimizer = AdamClip(
        problem.parameters.values(),
        **adaptive_settings(hyperparameters),
        low=low * relative,
        high=high * relative,
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
