"""Schedule-free AdamW: an average of the iterates in place of a falling learning rate.

    g_t = gradient at y_t
    v_t = beta2 v_{t-1} + (1 - beta2) g_t^2,   n_t = g_t / (sqrt(v_t / (1 - beta2^t)) + epsilon)
    z_{t+1} = z_t - eta_t (n_t + lambda y_t)
    x_{t+1} = (1 - c_{t+1}) x_t + c_{t+1} z_{t+1},   c_{t+1} = m_t^2 / sum_{i <= t} m_i^2
    y_{t+1} = beta1 x_{t+1} + (1 - beta1) z_{t+1}

with m_t the largest rate so far. The parameters hold y during training; x is what is judged.

Source: Defazio et al. (2024), Algorithm 1, with the weights and the bias correction of their code.

Deviations: none in the sequence. The rate warms up by share of the horizon, not by steps. Taking x
for an evaluation leaves y as it was to the last bit; the source goes to x and back, which rounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from harness.interface import Hyperparameters, Schedule
from submissions import schedules
from submissions.mathematics.optimizers import GroupwiseOptimizer, TorchProblem
from submissions.mathematics.vectors import chunks, state_lists


class ScheduleFreeAdamW(GroupwiseOptimizer):
    """The update above.

    Args:
        parameters: which parameters.
        lr: eta.
        betas: beta1 and beta2.
        eps: epsilon.
        weight_decay: lambda.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        defaults: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps}
        defaults |= {"weight_decay": weight_decay, "largest_rate": 0.0, "weight_sum": 0.0}
        self._trained: dict[torch.Tensor, torch.Tensor] = {}
        super().__init__(parameters, defaults)

    def update(self, group: dict[str, Any]) -> None:
        """One step of one group."""
        rate, (beta1, beta2) = group["lr"], group["betas"]
        group["largest_rate"] = max(rate, group["largest_rate"])
        weight = group["largest_rate"] ** 2
        group["weight_sum"] += weight
        share = weight / group["weight_sum"] if weight > 0.0 else 0.0
        for t, ys in chunks(self.state, group["params"]):
            for y in ys:
                if "z" not in self.state[y]:
                    self.state[y]["z"] = y.clone()
            zs, second = state_lists(self.state, ys, ("z", "second"))
            gradients = [y.grad for y in ys if y.grad is not None]
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
            root = (1 - beta2**t) ** 0.5
            scale = torch._foreach_sqrt(second)
            torch._foreach_add_(scale, group["eps"] * root)
            step = torch._foreach_div(gradients, scale)
            torch._foreach_mul_(step, root)
            torch._foreach_add_(step, ys, alpha=group["weight_decay"])
            # y moves without x: beta1 (1 - c) of the way that z moves is what x does not follow.
            torch._foreach_lerp_(ys, zs, share)
            torch._foreach_add_(ys, step, alpha=rate * (beta1 * (1 - share) - 1))
            torch._foreach_sub_(zs, step, alpha=rate)

    @torch.no_grad()
    def eval(self) -> None:
        """Put the average x into the parameters, until `train`."""
        for group in self.param_groups:
            for y in group["params"]:
                if y not in self._trained and "z" in self.state[y]:
                    self._trained[y] = y.clone()
                    y.lerp_(self.state[y]["z"], 1 - 1 / group["betas"][0])

    @torch.no_grad()
    def train(self) -> None:
        """Put y back into the parameters."""
        for y, value in self._trained.items():
            y.copy_(value)
        self._trained.clear()


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """Schedule-free AdamW on all parameters; its schedule only warms up."""
    optimizer = ScheduleFreeAdamW(
        problem.parameters.values(),
        lr=hyperparameters["learning_rate"],
        betas=(hyperparameters["beta1"], hyperparameters["beta2"]),
        eps=hyperparameters["epsilon"],
        weight_decay=hyperparameters["weight_decay"],
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
