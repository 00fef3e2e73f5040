"""SignSGD with momentum: every coordinate moves by the learning rate in the momentum's direction.

    m_t = beta m_{t-1} + (1 - beta) g_t
    w_{t+1} = (1 - eta lambda) w_t - eta sign(m_t)

Source: Bernstein et al. (2018), Algorithm 2 ("Signum"). The thesis writes sign(m^_t); the bias
correction 1 - beta^t changes no sign.

Deviations: weight decay is decoupled. The source's majority vote, for several workers, is omitted.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import MomentumMethod, TorchProblem, with_momentum
from submissions.common.vectors import chunks, state_lists


class SignSgd(MomentumMethod):
    """SignSGD with momentum; the module docstring states the update.

    Args:
        parameters: the parameters to optimise.
        lr: learning rate (eta).
        momentum: decay rate of the momentum in [0, 1) (beta).
        weight_decay: decoupled weight decay coefficient (lambda).
    """

    def update(self, group: dict[str, Any]) -> None:
        """Update the parameters of one group."""
        rate, decay = group["lr"], group["weight_decay"]
        for _, parameters in chunks(self.state, group["params"]):
            (momentum,) = state_lists(self.state, parameters, ("momentum",))
            gradients = [p.grad for p in parameters if p.grad is not None]
            torch._foreach_lerp_(momentum, gradients, 1 - group["momentum"])
            if decay != 0.0:
                torch._foreach_mul_(parameters, 1 - rate * decay)
            torch._foreach_add_(parameters, torch._foreach_sign(momentum), alpha=-rate)
            # torch's sign of NaN is 0; 0 m is NaN where m is not finite, so divergence shows up
            torch._foreach_add_(parameters, momentum, alpha=0.0)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """SignSGD on all parameters, with its schedule."""
    return with_momentum(SignSgd, problem, hyperparameters)
