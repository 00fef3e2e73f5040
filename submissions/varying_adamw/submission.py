"""AdamW whose bias correction stays right when beta1 and beta2 change during training.

    m_t = beta1 m_{t-1} + (1 - beta1) g_t,     c_t = beta1 c_{t-1} + (1 - beta1)
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2,   d_t = beta2 d_{t-1} + (1 - beta2)
    w_{t+1} = (1 - eta lambda) w_t - eta (m_t / c_t) / (sqrt(v_t / d_t) + epsilon)

c_t and d_t are the sums of the weights that m_t and v_t give to the gradients so far. With constant
betas they are 1 - beta^t, and this is AdamW. With betas that change, as where a cooldown branches
off a trunk with another beta2, m_t / c_t and v_t / d_t stay weighted means; AdamW's own correction
would then divide v_t by 1 - beta2^t of the new beta2, and shorten steps by as much as tenfold.

Source: Loshchilov and Hutter (2019), Algorithm 2, for the update; the cooldown with another beta2
is studied by Dremov et al. (2025). Deviations: those of the submission `adamw`.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import AdaptiveMethod, Group, TorchProblem, adaptive_settings
from submissions.common.vectors import chunks, state_lists


class VaryingAdamW(AdaptiveMethod):
    """AdamW with the weights of its averages as state.

    Its arguments are `AdaptiveMethod`'s.
    """

    def update(self, group: Group) -> None:
        """One step of every parameter that has a gradient."""
        rate, (beta1, beta2) = group["lr"], group["betas"]
        for _, parameters in chunks(self.state, group["params"]):
            gradients = [value.grad for value in parameters if value.grad is not None]
            means, squares = state_lists(self.state, parameters, ("mean", "square"))
            torch._foreach_lerp_(means, gradients, 1.0 - beta1)
            # not by lerp, which makes NaN of a square that has overflowed
            torch._foreach_mul_(squares, beta2)
            torch._foreach_addcmul_(squares, gradients, gradients, 1.0 - beta2)
            of_means = self._weight(parameters, "mean_weight", beta1)
            of_squares = self._weight(parameters, "square_weight", beta2)
            # divided after the root, as in AdamW: before it a large square would overflow
            roots = torch._foreach_div(torch._foreach_sqrt(squares), of_squares**0.5)
            torch._foreach_add_(roots, group["eps"])
            torch._foreach_mul_(parameters, 1.0 - rate * group["weight_decay"])
            torch._foreach_addcdiv_(parameters, means, roots, -rate / of_means)

    def _weight(self, parameters: list[torch.Tensor], name: str, beta: float) -> float:
        """Add one gradient's weight; the sum, which is one number for parameters of one age."""
        for value in parameters:
            before: float = self.state[value].get(name, 0.0)
            self.state[value][name] = weight = beta * before + (1.0 - beta)
        return weight


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """The method on all parameters, with its schedule."""
    optimizer = VaryingAdamW(problem.parameters.values(), **adaptive_settings(hyperparameters))
    return optimizer, schedules.from_hyperparameters(hyperparameters)
