"""Lion: the sign of a momentum that gives the current gradient more weight than it keeps.

    c_t = beta1 m_{t-1} + (1 - beta1) g_t
    w_{t+1} = (1 - eta lambda) w_t - eta sign(c_t)
    m_t = beta2 m_{t-1} + (1 - beta2) g_t

with beta2 above beta1: the current gradient has more weight in the step than in the memory.

Source: Chen et al. (2023), "Symbolic Discovery of Optimization Algorithms", Algorithm 2.
Deviations: none for finite gradients; an entry that is not finite becomes NaN, where its sign would
be 0 or 1. Every entry moves by eta, so eta is three to ten times smaller than AdamW's, and lambda
as many times larger.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import Group, GroupwiseOptimizer, TorchProblem
from submissions.common.vectors import chunks, state_lists


class Lion(GroupwiseOptimizer):
    """Lion; the module docstring states the update. Groups have `lr`, `betas`, `weight_decay`."""

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        rate, (beta1, beta2) = group["lr"], group["betas"]
        for _, parameters in chunks(self.state, group["params"]):
            (momentum,) = state_lists(self.state, parameters, ("momentum",))
            gradients = [p.grad for p in parameters if p.grad is not None]
            direction = torch._foreach_lerp(momentum, gradients, 1 - beta1)
            torch._foreach_lerp_(momentum, gradients, 1 - beta2)
            torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
            torch._foreach_add_(parameters, torch._foreach_sign(direction), alpha=-rate)
            # torch's sign of NaN is 0; 0 c is NaN where c is not finite, so divergence shows up
            torch._foreach_add_(parameters, direction, alpha=0.0)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Lion on all parameters, with its schedule."""
    settings = {
        "lr": hyperparameters["learning_rate"],
        "betas": (hyperparameters["beta1"], hyperparameters["beta2"]),
        "weight_decay": hyperparameters["weight_decay"],
    }
    optimizer = Lion(problem.parameters.values(), settings)
    return optimizer, schedules.from_hyperparameters(hyperparameters)
