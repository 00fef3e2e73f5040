"""ADOPT: Adam whose second moment does not yet contain the gradient that it normalises.

    v_0 = g_0^2
    n_t = clip(g_t / max(sqrt(v_{t-1}), epsilon), -t^{1/4}, t^{1/4})
    m_t = beta1 m_{t-1} + (1 - beta1) n_t
    w_{t+1} = (1 - eta lambda) w_t - eta m_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2

for t = 1, 2, ...; the first gradient, g_0, only starts v. As g_t and v_{t-1} are independent given
the weights, the method converges with any beta2.

Source: Taniguchi et al. (2024), "ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal
Rate", Algorithm 2 with its clipping, as in `optax.contrib.adopt`.

Deviations: none with lambda = 0 and finite gradients; the decay, decoupled, also applies to the
first step. An infinite gradient, which the clip would hide, becomes NaN.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import AdaptiveMethod, Group, TorchProblem, adaptive_settings
from submissions.common.vectors import chunks, state_lists


class Adopt(AdaptiveMethod):
    """ADOPT; the module docstring states the update."""

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        rate, (beta1, beta2) = group["lr"], group["betas"]
        for count, parameters in chunks(self.state, group["params"]):
            first, second = state_lists(self.state, parameters, ("first", "second"))
            gradients = [p.grad for p in parameters if p.grad is not None]
            torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
            if count == 1:
                torch._foreach_addcmul_(second, gradients, gradients)
                continue
            scale = torch._foreach_sqrt(second)
            torch._foreach_clamp_min_(scale, group["eps"])
            ratios = torch._foreach_div(gradients, scale)
            bound = (count - 1) ** 0.25
            torch._foreach_clamp_min_(ratios, -bound)
            torch._foreach_clamp_max_(ratios, bound)
            torch._foreach_add_(ratios, gradients, alpha=0.0)  # NaN where g is infinite
            torch._foreach_lerp_(first, ratios, 1 - beta1)
            torch._foreach_add_(parameters, first, alpha=-rate)
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """ADOPT on all parameters, with its schedule."""
    optimizer = Adopt(problem.parameters.values(), **adaptive_settings(hyperparameters))
    return optimizer, schedules.from_hyperparameters(hyperparameters)
