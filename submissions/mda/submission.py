"""Modernised dual averaging: the start, less a weighted sum of all gradients, with momentum.

    s_k = s_{k-1} + alpha_k sqrt(k + 1) (g_k + lambda x_k)
    z_{k+1} = x_0 - s_k / sqrt(k + 1)
    x_{k+1} = rho x_k + (1 - rho) z_{k+1}

for k = 0, 1, ... Dual averaging (the thesis's argmin of <mean gradient, w> plus a regulariser) has
this form when the regulariser is the squared distance to x_0. Written as a recursion,

    z_{k+1} = z_k - alpha_k (g_k + gamma_k (z_k - x_0)),
    gamma_k = (1 - sqrt(k / (k + 1))) / alpha_k

it is SGD with an l2 penalty, centred at the start, that fades as 1 / (2 alpha k).

Source: Jelassi and Defazio (2020), Algorithm 2, with their choice of weights, alpha_k sqrt(k + 1)
for gradients and sqrt(k + 1) for the sum.

Deviations: rho is constant (theirs is 1 - c_k, c_k mostly constant). The state is
s_k / sqrt(k + 1) in place of s_k. A rate alpha here is eta = (1 - rho) alpha of SGD with a summed
velocity.

Defaults against `sgd`'s after equal steps: below on `rnn` (80 steps) and `lm` (60), above on `mlp`
(by 0.05 after 600) and `resnet` (by 0.18 after 250). Likely the pull to the start, which fades only
as 1 / k, is still felt in runs this short; lower rates, which strengthen it, do worse on `mlp`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import MomentumMethod, TorchProblem, with_momentum
from submissions.common.vectors import chunks, kept, state_lists


class Mda(MomentumMethod):
    """The update above.

    Args:
        parameters: which parameters.
        lr: alpha.
        momentum: rho.
        weight_decay: lambda, coupled.
    """

    def update(self, group: dict[str, Any]) -> None:
        """One step of one group."""
        rate, rho, decay = group["lr"], group["momentum"], group["weight_decay"]
        for t, parameters in chunks(self.state, group["params"]):
            start = kept(self.state, parameters, "start")
            (way,) = state_lists(self.state, parameters, ("way",))
            gradients = [p.grad for p in parameters if p.grad is not None]
            torch._foreach_mul_(way, ((t - 1) / t) ** 0.5)
            torch._foreach_add_(way, gradients, alpha=-rate)
            if decay != 0.0:
                torch._foreach_add_(way, parameters, alpha=-rate * decay)
            torch._foreach_mul_(parameters, rho)
            torch._foreach_add_(parameters, start, alpha=1 - rho)
            torch._foreach_add_(parameters, way, alpha=1 - rho)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """MDA on all parameters, and its schedule."""
    return with_momentum(Mda, problem, hyperparameters)
