"""MARS-AdamW: AdamW on gradients corrected by the difference from the last one.

    c_t = g_t + gamma beta1 / (1 - beta1) (g_t - g_{t-1}),   g_0 = 0
    c~_t = c_t / max(1, ||c_t||)                             for each tensor
    w_{t+1} = (1 - eta lambda) w_t - eta m^_t / (sqrt(v^_t) + epsilon)

with m^_t and v^_t Adam's bias-corrected moments of c~_t. Vectors (biases, gains) use AdamW, with
decay rates of their own.

Source: Yuan et al. (2025), "MARS: Unleashing the Power of Variance Reduction for Training Large
Models", Algorithm 2 with the approximate gradient difference, and the authors' code.

Deviations: the exact form takes g_{t-1} at the new weights on the old batch, which costs a second
pass. The authors' code corrects only tensors with two dimensions, here all with two or more are
corrected. Both parts share one learning rate.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import (
    VECTORS,
    AdaptiveMethod,
    CombinedOptimizer,
    Group,
    TorchProblem,
    adamw,
    adaptive_settings,
    by_role,
)
from submissions.common.vectors import chunks, state_lists


class Mars(AdaptiveMethod):
    """MARS-AdamW; the module docstring states the update. Groups have `gamma` beside AdamW's
    settings.
    """

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        rate, (beta1, beta2) = group["lr"], group["betas"]
        for t, parameters in chunks(self.state, group["params"]):
            first, second, last = state_lists(self.state, parameters, ("first", "second", "last"))
            corrected_gradients = _correct(
                [p.grad for p in parameters if p.grad is not None], last, group
            )
            torch._foreach_lerp_(first, corrected_gradients, 1 - beta1)
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, corrected_gradients, corrected_gradients, 1 - beta2)
            root = (1 - beta2**t) ** 0.5
            scale = torch._foreach_sqrt(second)
            torch._foreach_add_(scale, group["eps"] * root)
            torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
            torch._foreach_addcdiv_(parameters, first, scale, -rate * root / (1 - beta1**t))


def _correct(
    gradients: list[torch.Tensor], last: list[torch.Tensor], group: Group
) -> list[torch.Tensor]:
    """c~_t; the gradients become the last ones."""
    beta1 = group["betas"][0]
    corrected_gradients = torch._foreach_sub(gradients, last)
    torch._foreach_mul_(corrected_gradients, group["gamma"] * beta1 / (1 - beta1))
    torch._foreach_add_(corrected_gradients, gradients)
    torch._foreach_copy_(last, gradients)
    norms = [norm.clamp(min=1.0) for norm in torch._foreach_norm(corrected_gradients)]
    torch._foreach_div_(corrected_gradients, norms)
    return list(corrected_gradients)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """MARS-AdamW on matrices and kernels, AdamW on vectors, with their shared schedule."""
    vectors, weights = by_role(problem, VECTORS)
    parts: list[Optimizer] = []
    if weights:
        settings = adaptive_settings(hyperparameters, "gamma")
        parts.append(Mars([problem.parameters[name] for name in weights], **settings))
    if vectors:
        others = [problem.parameters[name] for name in vectors]
        parts.append(adamw(others, hyperparameters, "learning_rate"))
    return CombinedOptimizer(*parts), schedules.from_hyperparameters(hyperparameters)
