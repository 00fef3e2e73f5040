"""AdamS: Adam with stable weight decay, scaled inversely with the gradients' magnitude.

    r_t = sqrt(mean of v^_t over all entries of all parameters)
    w_{t+1} = (1 - eta lambda / r_t) w_t - eta m^_t / (sqrt(v^_t) + epsilon)

with the moments of Adam. Adam divides the gradient by sqrt(v^_t); dividing the decay by its root
mean square keeps the two in proportion: as gradients shrink the decay grows, which keeps their
norms small.

Source: Xie et al. (2023), "On the Overlooked Pitfalls of Weight Decay" (scheduled weight decay;
"stable weight decay" in its first version). Not to be confused with the AdamS of 2025.

Deviations: the authors' code enables AMSGrad's maximum by default; here v^_t is Adam's, as in the
paper's algorithm. The mean of v_t is a scalar updated by its own recursion from the mean of g_t^2,
so that the step can be torch's fused AdamW; it covers the parameters that have a gradient. lambda
has the units of a gradient: about AdamW's lambda times the gradients' root mean square. As r_t
falls the decay in the equation grows without bound; here eta lambda / r_t is at most 1, which takes
the weights to zero but not past it, and a step whose gradients are all zero does not decay.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import AdamW, Optimizer

from harness.core.errors import HarnessError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import (
    Closure,
    Group,
    TorchProblem,
    adam_on_all,
    list_parameters,
    without_hooks,
)


class AdamS(AdamW):
    """AdamS for a single parameter group; the module docstring states the update.

    Args:
        parameters: the parameters to optimise.
        weight_decay: weight decay coefficient before scaling (lambda).
        options: further arguments of `torch.optim.AdamW`.
    """

    def __init__(
        self, parameters: list[torch.Tensor], *, weight_decay: float, **options: Any
    ) -> None:
        group = {"params": list_parameters(parameters), "base_decay": weight_decay}
        group |= {"updates": 0, "mean_square": 0.0}
        super().__init__([group], weight_decay=0.0, **options)

    def add_param_group(self, param_group: Group) -> None:
        """Refuse a second group: r_t is one number, of all parameters."""
        if self.param_groups:
            raise HarnessError(
                "a parameter group was added to AdamS", "build a new one with all parameters"
            )
        super().add_param_group(param_group)

    def step(self, closure: Closure | None = None) -> Any:
        """Take an AdamW step with the current decay."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        (group,) = self.param_groups
        gradients = [p.grad for p in group["params"] if p.grad is not None]
        if not gradients:
            return loss
        beta2 = group["betas"][1]
        entries = sum(gradient.numel() for gradient in gradients)
        norms = torch.stack(torch._foreach_norm(gradients))
        mean_square = float(norms.double().square().sum()) / entries
        group["updates"] += 1
        group["mean_square"] = beta2 * group["mean_square"] + (1 - beta2) * mean_square
        size = (group["mean_square"] / (1 - beta2 ** group["updates"])) ** 0.5
        group["weight_decay"] = _decay(group, size) if mean_square > 0.0 else 0.0
        without_hooks(AdamW.step)(self)
        return loss


def _decay(group: Group, size: float) -> float:
    """lambda / r_t, where the learning rate times it is at most 1."""
    decay: float = group["base_decay"] / (size + group["eps"])
    return min(decay, 1.0 / group["lr"]) if group["lr"] > 0.0 else decay


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """AdamS on all parameters, fused where supported, with its schedule."""
    return adam_on_all(AdamS, problem, hyperparameters)
