"""LARS: momentum with a learning rate proportional to each layer's weight norm.

    q_t = tau ||w_t|| / (||g_t|| + lambda ||w_t||)
    u_{t+1} = rho u_t + eta_t q_t (g_t + lambda w_t)
    w_{t+1} = w_t - u_{t+1}

for each matrix and kernel w; q_t is 1 where the norm of w_t or g_t is zero. Vectors (biases, gains)
have q_t = 1 and no decay, so eta is an ordinary learning rate for them. For matrices only the
product of eta and tau matters, so tau is not searched.

Source: You, Gitman and Ginsburg (2017), Algorithm 1; the learning rate is inside the momentum.

Deviations: vectors are excluded, which the source does not mention but all implementations do.
`optax.lars` takes the norm of the sum g_t + lambda w_t in place of the sum of the norms.
"""

from __future__ import annotations

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import Group, GroupwiseOptimizer, TorchProblem, scaled_groups
from submissions.common.vectors import chunks, state_lists

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists for a step that is proportional to the weight's own norm."""


class Lars(GroupwiseOptimizer):
    """LARS; the module docstring states the update.

    Args:
        parameters: the parameters to optimise, or groups; `is_scaled = False` fixes q_t = 1.
        lr: learning rate (eta).
        momentum: momentum coefficient in [0, 1) (rho).
        weight_decay: coupled weight decay coefficient (lambda).
        trust: trust coefficient (tau).
    """

    def __init__(
        self,
        parameters: ParamsT,
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 1e-3,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults | {"trust": trust, "is_scaled": True})

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        for _, parameters in chunks(self.state, group["params"]):
            (velocity,) = state_lists(self.state, parameters, ("velocity",))
            gradients = [p.grad for p in parameters if p.grad is not None]
            torch._foreach_mul_(velocity, group["momentum"])
            if group["is_scaled"]:
                torch._foreach_add_(velocity, _scaled_steps(parameters, gradients, group))
            else:
                decayed_gradients = torch._foreach_add(
                    gradients, parameters, alpha=group["weight_decay"]
                )
                torch._foreach_add_(velocity, decayed_gradients, alpha=group["lr"])
            torch._foreach_sub_(parameters, velocity)


def _scaled_steps(
    parameters: list[torch.Tensor], gradients: list[torch.Tensor], group: Group
) -> list[torch.Tensor]:
    """eta q (g + lambda w) for each parameter; the norms stay on the device."""
    norms = torch.stack(torch._foreach_norm(parameters))
    sizes = torch.stack(torch._foreach_norm(gradients))
    ratios = group["trust"] * norms / (sizes + group["weight_decay"] * norms)
    ratios = torch.where((norms == 0) | (sizes == 0), 1.0, ratios)
    steps = torch._foreach_add(gradients, parameters, alpha=group["weight_decay"])
    torch._foreach_mul_(steps, list((group["lr"] * ratios).unbind()))
    return list(steps)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """LARS on matrices and kernels, plain momentum on vectors, with their schedule."""
    optimizer = Lars(
        scaled_groups(problem),
        lr=hyperparameters["learning_rate"],
        momentum=hyperparameters["momentum"],
        weight_decay=hyperparameters["weight_decay"],
        trust=hyperparameters["trust"],
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
