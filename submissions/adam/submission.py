"""Adam: adaptive moments, with weight decay as an l2 penalty added to the gradient.

    g_t <- g_t + lambda w_t
    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    w_{t+1} = w_t - eta m^_t / (sqrt(v^_t) + epsilon)

with m^_t = m_t / (1 - beta1^t) and v^_t = v_t / (1 - beta2^t).

Source: Kingma and Ba (2015), Algorithm 1, as in `torch.optim.Adam`. Deviations: none with lambda
= 0, the default. For decoupled decay use the submission `adamw`.
"""

from __future__ import annotations

from torch.optim import Adam, Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import TorchProblem, adam_on_all


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Adam on all parameters, fused where supported, with its schedule."""
    return adam_on_all(Adam, problem, hyperparameters)
