"""RMSProp: gradients divided by the root of a moving average of their squares.

    v_t = beta v_{t-1} + (1 - beta) g_t^2
    u_t = rho u_{t-1} + g_t / (sqrt(v_t) + epsilon)
    w_{t+1} = w_t - eta u_t

Source: Tieleman and Hinton (2012), as in `torch.optim.RMSprop`, with its momentum rho.

Deviations: the lecture has neither momentum nor epsilon; rho = 0 gives its update. v_t is not
bias-corrected, so the first steps are 1 / sqrt(1 - beta) times longer than later ones; warmup
compensates. Weight decay is coupled.
"""

from __future__ import annotations

from torch.optim import Optimizer, RMSprop

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import TorchProblem


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """RMSProp on all parameters, with its schedule."""
    optimizer = RMSprop(
        list(problem.parameters.values()),
        lr=hyperparameters["learning_rate"],
        alpha=hyperparameters["beta"],
        eps=hyperparameters["epsilon"],
        momentum=hyperparameters["momentum"],
        weight_decay=hyperparameters["weight_decay"],
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
