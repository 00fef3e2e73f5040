"""Schedule-free AdamW: iterate averaging in place of a decaying learning rate.

    g_t = gradient at y_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2,   n_t = g_t / (sqrt(v_t / (1 - beta2^t)) + epsilon)
    z_{t+1} = z_t - eta_t (n_t + lambda y_t)
    x_{t+1} = (1 - c_{t+1}) x_t + c_{t+1} z_{t+1},   c_{t+1} = m_t^2 / sum_{i <= t} m_i^2
    y_{t+1} = beta1 x_{t+1} + (1 - beta1) z_{t+1}

with m_t the largest learning rate so far. Parameters hold y during training; x is evaluated.

Source: Defazio et al. (2024), Algorithm 1, with the weights and the bias correction of their code.

Deviations: none in the iterates. Warmup is a fraction of the horizon instead of a number of steps.
Switching to x for an evaluation preserves y bit for bit; the source converts to x and back, which
introduces rounding errors.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import Group, TorchProblem
from submissions.common.schedule_free import Directions, ScheduleFree
from submissions.common.vectors import state_lists


class ScheduleFreeAdamW(ScheduleFree):
    """Schedule-free AdamW; the module docstring states the update.

    Args:
        parameters: the parameters to optimise.
        lr: learning rate (eta).
        betas: interpolation weight and decay rate of the second moment (beta1, beta2).
        eps: term added to the denominator (epsilon).
        weight_decay: decoupled weight decay coefficient (lambda).
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "beta2": betas[1], "eps": eps, "weight_decay": weight_decay}
        super().__init__(parameters, betas[0], defaults)

    def directions(self, ys: list[torch.Tensor], t: int, group: Group) -> Directions:
        """n_t: gradients over the root of their bias-corrected second moments."""
        beta2 = group["beta2"]
        (second,) = state_lists(self.state, ys, ("second",))
        gradients = [y.grad for y in ys if y.grad is not None]
        torch._foreach_mul_(second, beta2)
        torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
        root = (1 - beta2**t) ** 0.5
        scale = torch._foreach_sqrt(second)
        torch._foreach_add_(scale, group["eps"] * root)
        return Directions(gradients, scale, root)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Schedule-free AdamW on all parameters; its schedule is warmup only."""
    optimizer = ScheduleFreeAdamW(
        problem.parameters.values(),
        lr=hyperparameters["learning_rate"],
        betas=(hyperparameters["beta1"], hyperparameters["beta2"]),
        eps=hyperparameters["epsilon"],
        weight_decay=hyperparameters["weight_decay"],
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
