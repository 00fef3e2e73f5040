"""D-Adaptation, Adam's variant: the step size from a lower bound on the distance to the solution.

    r_{k+1} = b r_k + (1 - b) d_k gamma_k <g_k, s_k / (sqrt(v_k) + epsilon)>,   b = sqrt(beta2)
    m_{k+1} = beta1 m_k + (1 - beta1) d_k gamma_k g_k
    v_{k+1} = beta2 v_k + (1 - beta2) g_k^2
    s_{k+1} = b s_k + (1 - b) d_k gamma_k g_k
    d_{k+1} = max(d_k, min(r_{k+1} / ((1 - b) ||s_{k+1}||_1), growth d_k))
    w_{k+1} = (1 - d_k gamma_k lambda) w_k - m_{k+1} / (sqrt(v_{k+1}) + epsilon)

gamma_k is 1 times the schedule. With `bias_correction` it is further multiplied by
sqrt(1 - beta2^(k+1)) / (1 - beta1^(k+1)).

Source: Defazio and Mishchenko (2023), Algorithm 5 (DAdaptAdam), and their code, whose decoupled
decay and bound on growth these are.

Deviations: none in the sequence. The estimate is read once a step for all parameters.

Defaults against `sgd`'s after equal steps: below on `rnn` (80 steps), above on `lm` (by 0.43 after
60) and `resnet` (by 0.17 after 250). Likely the estimate, which starts from 1e-6, spends much of a
short run growing.
"""

from __future__ import annotations

from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import TorchProblem

from .optimizer import DAdaptAdam


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """D-Adaptation on all parameters, and its schedule."""
    optimizer = DAdaptAdam(
        problem.parameters.values(),
        lr=hyperparameters["learning_rate"],
        betas=(hyperparameters["beta1"], hyperparameters["beta2"]),
        eps=hyperparameters["epsilon"],
        weight_decay=hyperparameters["weight_decay"],
        first_estimate=hyperparameters["first_estimate"],
        growth=hyperparameters["growth"],
        bias_correction=hyperparameters["bias_correction"],
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
