"""Prodigy: Adam whose step size is an estimate of the distance to the solution.

    m_t = beta1 m_{t-1} + (1 - beta1) d_t g_t,   v_t = beta2 v_{t-1} + (1 - beta2) d_t^2 g_t^2
    r_t = sqrt(beta2) r_{t-1} + (d_t / d_0) eta_t d_t <g_t, w_0 - w_t>
    s_t = sqrt(beta2) s_{t-1} + (d_t / d_0) eta_t d_t g_t
    d_{t+1} = max(d_t, c r_t / ||s_t||_1)
    w_{t+1} = (1 - eta_t d_t lambda) w_t - eta_t d_t m_t / (sqrt(v_t) + d_{t+1} epsilon)

The learning rate eta_t is 1 times the schedule; c scales the estimate. With `bias_correction` eta_t
is also multiplied by sqrt(1 - beta2^t) / (1 - beta1^t). With `safeguard_warmup` s_t accumulates
d_t g_t without eta_t, so that warmup does not inflate the estimate.

Source: Mishchenko and Defazio (2024), Algorithm 4, and their code.

Deviations: as in their code, the scale is d_t / d_0 and epsilon is multiplied by d_{t+1}. The
estimate is read once per step for all parameters.

The first steps are about d_0 = 1e-6 long. Entries of bfloat16 parameters that are larger than 1e-3
round them away, so <g_t, w_0 - w_t> stays 0 and the estimate never leaves d_0; there
`first_estimate` has to be about a hundredth of the parameters' size.
"""

from __future__ import annotations

from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import TorchProblem

from .optimizer import Prodigy


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Prodigy on all parameters, with its schedule."""
    optimizer = Prodigy(
        problem.parameters.values(),
        lr=hyperparameters["learning_rate"],
        betas=(hyperparameters["beta1"], hyperparameters["beta2"]),
        eps=hyperparameters["epsilon"],
        weight_decay=hyperparameters["weight_decay"],
        first_estimate=hyperparameters["first_estimate"],
        coefficient=hyperparameters["coefficient"],
        bias_correction=hyperparameters["bias_correction"],
        safeguard_warmup=hyperparameters["safeguard_warmup"],
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
