"""NAdamW: AdamW with Nesterov momentum.

    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    n_t = beta1 m_t / (1 - beta1^{t+1}) + (1 - beta1) g_t / (1 - beta1^t)
    w_{t+1} = (1 - eta lambda) w_t - eta n_t / (sqrt(v_t / (1 - beta2^t)) + epsilon)

Source: Dozat (2016) with a constant beta1 and decoupled decay, as in `optax.nadamw`.

Deviations: Dozat's Algorithm 2 has an extra factor beta2 on v^, which no implementation uses.
`torch.optim.NAdam` implements a different method, whose momentum grows with t. AlgoPerf's baseline
corrects both terms of n_t by 1 - beta1^t, which differs only in the first steps.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import AdaptiveMethod, Group, TorchProblem, adaptive_settings
from submissions.common.vectors import chunks, state_lists


class NAdamW(AdaptiveMethod):
    """NAdamW; the module docstring states the update."""

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        rate, (beta1, beta2) = group["lr"], group["betas"]
        for t, parameters in chunks(self.state, group["params"]):
            first, second = state_lists(self.state, parameters, ("first", "second"))
            gradients = [p.grad for p in parameters if p.grad is not None]
            torch._foreach_lerp_(first, gradients, 1 - beta1)
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
            # Folding the scalar corrections into the learning rate saves two passes over memory.
            ahead, here = beta1 / (1 - beta1 ** (t + 1)), (1 - beta1) / (1 - beta1**t)
            root = (1 - beta2**t) ** 0.5
            direction = torch._foreach_add(gradients, first, alpha=ahead / here)
            scale = torch._foreach_sqrt(second)
            torch._foreach_add_(scale, group["eps"] * root)
            torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
            torch._foreach_addcdiv_(parameters, direction, scale, -rate * here * root)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """NAdamW on all parameters, with its schedule."""
    settings = adaptive_settings(hyperparameters)
    optimizer = NAdamW(problem.parameters.values(), **settings)
    return optimizer, schedules.from_hyperparameters(hyperparameters)
