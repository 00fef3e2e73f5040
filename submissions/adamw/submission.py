"""AdamW: adaptive moments with decoupled weight decay.

    m_t = beta1 m_{t-1} + (1 - beta1) g_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2
    w_{t+1} = (1 - eta lambda) w_t - eta m^_t / (sqrt(v^_t) + epsilon)

with m^_t = m_t / (1 - beta1^t) and v^_t = v_t / (1 - beta2^t).

Source: Loshchilov and Hutter (2019), Algorithm 2, as in `torch.optim.AdamW`.

Deviations: the decay is scaled by the scheduled learning rate, the paper's by the schedule's factor
alone. It applies to every parameter.
"""

from __future__ import annotations

from torch.optim import AdamW, Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import TorchProblem, adam_on_all


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """AdamW on all parameters, fused where supported, with its schedule."""
    return adam_on_all(AdamW, problem, hyperparameters)
