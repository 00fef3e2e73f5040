"""LAMB: Adam's direction, with each layer's step in proportion to the norm of its weights.

    r_t = m^_t / (sqrt(v^_t) + epsilon) + lambda w_t
    w_{t+1} = w_t - eta ||w_t|| / ||r_t|| r_t

for each matrix and kernel w, with Adam's bias-corrected moments; the ratio of norms is 1 where
either is zero. Vectors (biases, gains) have the ratio 1 and no decay.

Source: You et al. (2020), "Large Batch Optimization for Deep Learning: Training BERT in 76
Minutes", Algorithm 2 with phi(x) = x. Deviations: vectors are excluded, as in the authors' code
but not in the paper.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import (
    AdaptiveMethod,
    Group,
    TorchProblem,
    adaptive_settings,
    scaled_groups,
)
from submissions.common.vectors import chunks, state_lists

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists for a step that is proportional to the weight's own norm."""


class Lamb(AdaptiveMethod):
    """LAMB, by the module docstring's update; `is_scaled = False` fixes a group's ratio to 1."""

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        beta1, beta2 = group["betas"]
        for t, parameters in chunks(self.state, group["params"]):
            first, second = state_lists(self.state, parameters, ("first", "second"))
            gradients = [p.grad for p in parameters if p.grad is not None]
            torch._foreach_lerp_(first, gradients, 1 - beta1)
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
            # m^ / (sqrt(v^) + epsilon), both corrections in the denominator
            here = 1 - beta1**t
            steps = torch._foreach_sqrt(second)
            torch._foreach_mul_(steps, here / (1 - beta2**t) ** 0.5)
            torch._foreach_add_(steps, here * group["eps"])
            steps = torch._foreach_div(first, steps)
            torch._foreach_add_(steps, parameters, alpha=group["weight_decay"])
            if group["is_scaled"]:
                torch._foreach_mul_(steps, _ratios(parameters, list(steps)))
            torch._foreach_add_(parameters, steps, alpha=-group["lr"])


def _ratios(parameters: list[torch.Tensor], steps: list[torch.Tensor]) -> list[torch.Tensor]:
    """||w|| / ||r|| of each parameter, which stay on the device."""
    norms = torch.stack(torch._foreach_norm(parameters))
    sizes = torch.stack(torch._foreach_norm(steps))
    return list(torch.where((norms == 0) | (sizes == 0), 1.0, norms / sizes).unbind())


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """LAMB on matrices and kernels, Adam on vectors, with their schedule."""
    optimizer = Lamb(scaled_groups(problem), **adaptive_settings(hyperparameters), is_scaled=True)
    return optimizer, schedules.from_hyperparameters(hyperparameters)
