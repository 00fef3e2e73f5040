"""Schedule-free SGD: iterate averaging in place of a decaying learning rate.

    z_{t+1} = z_t - eta_t (g_t + lambda y_t),   g_t the gradient at y_t
    x_{t+1} = (1 - c_{t+1}) x_t + c_{t+1} z_{t+1},   c_{t+1} = m_t^2 / sum_{i <= t} m_i^2
    y_{t+1} = beta x_{t+1} + (1 - beta) z_{t+1}

with m_t the largest learning rate so far. Parameters hold y during training; x is evaluated.
With beta = 1 gradients are taken at the average itself (primal averaging); as beta tends to 0 this
becomes Polyak averaging of plain SGD.

Source: Defazio et al. (2024), equations 3 to 5, with the weights of their code.

Deviations: as in `submissions.schedule_free_adamw`. beta = 0 is refused because x is not stored.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import Group, TorchProblem, with_momentum
from submissions.common.schedule_free import Directions, ScheduleFree


class ScheduleFreeSgd(ScheduleFree):
    """Schedule-free SGD; the module docstring states the update.

    Args:
        parameters: the parameters to optimise.
        lr: learning rate (eta).
        momentum: interpolation weight in (0, 1] (beta).
        weight_decay: weight decay coefficient (lambda).
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, momentum, {"lr": lr, "weight_decay": weight_decay})

    def directions(self, ys: list[torch.Tensor], t: int, group: Group) -> Directions:
        """The gradients."""
        del t, group
        return Directions([y.grad for y in ys if y.grad is not None])


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Schedule-free SGD on all parameters; its schedule is warmup only."""
    return with_momentum(ScheduleFreeSgd, problem, hyperparameters)
