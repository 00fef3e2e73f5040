"""LARS: momentum whose rate is, layer by layer, a share of the weights' norm.

    q_t = tau ||w_t|| / (||g_t|| + lambda ||w_t||)
    u_{t+1} = rho u_t + eta_t q_t (g_t + lambda w_t)
    w_{t+1} = w_t - u_{t+1}

for each matrix and kernel w; q_t is 1 where a norm is zero. Vectors (biases, gains) have q_t = 1
and no decay, so that eta is an ordinary rate for them. Matrices know eta and tau only by their
product, so that tau is not searched.

Source: You, Gitman and Ginsburg (2017), Algorithm 1; the rate stands inside the momentum.

Deviations: leaving vectors out, which the source does not mention and every use of it does.
`optax.lars` takes the norm of the sum g_t + lambda w_t in place of the sum of the norms.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import GroupwiseOptimizer, TorchProblem, by_role
from submissions.common.vectors import chunks, state_lists
from workloads.parameters import Role

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""The step follows the weight's own norm, and so its scale, which no rule describes."""
VECTORS = (Role.NORM, Role.BIAS, Role.VECTOR)


class Lars(GroupwiseOptimizer):
    """The update above.

    Args:
        parameters: parameters, or groups; `scaled = False` in a group leaves q_t at 1.
        lr: eta.
        momentum: rho.
        weight_decay: lambda.
        trust: tau.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor] | Iterable[dict[str, Any]],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 1e-3,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults | {"trust": trust, "scaled": True})

    def update(self, group: dict[str, Any]) -> None:
        """One step of one group."""
        for _, parameters in chunks(self.state, group["params"]):
            (velocity,) = state_lists(self.state, parameters, ("velocity",))
            gradients = [p.grad for p in parameters if p.grad is not None]
            torch._foreach_mul_(velocity, group["momentum"])
            if group["scaled"]:
                torch._foreach_add_(velocity, _scaled(parameters, gradients, group))
            else:
                decayed = torch._foreach_add(gradients, parameters, alpha=group["weight_decay"])
                torch._foreach_add_(velocity, decayed, alpha=group["lr"])
            torch._foreach_sub_(parameters, velocity)


def _scaled(
    parameters: list[torch.Tensor], gradients: list[torch.Tensor], group: dict[str, Any]
) -> list[torch.Tensor]:
    """eta q (g + lambda w) of each parameter; the norms stay on the device."""
    norms = torch.stack(torch._foreach_norm(parameters))
    sums = torch.stack(torch._foreach_norm(gradients)) + group["weight_decay"] * norms
    ratios = torch.where((norms > 0) & (sums > 0), group["trust"] * norms / sums, 1.0)
    steps = torch._foreach_add(gradients, parameters, alpha=group["weight_decay"])
    torch._foreach_mul_(steps, list((group["lr"] * ratios).unbind()))
    return list(steps)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """LARS on matrices and kernels, plain momentum on vectors, and their schedule."""
    vectors, weights = by_role(problem, VECTORS)
    groups: list[dict[str, Any]] = [{"params": [problem.parameters[name] for name in weights]}]
    if vectors:
        left_out = [problem.parameters[name] for name in vectors]
        groups.append({"params": left_out, "scaled": False, "weight_decay": 0.0})
    optimizer = Lars(
        groups,
        lr=hyperparameters["learning_rate"],
        momentum=hyperparameters["momentum"],
        weight_decay=hyperparameters["weight_decay"],
        trust=hyperparameters["trust"],
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
