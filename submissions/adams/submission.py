"""AdamS: Adam with stable weight decay, divided by the size of the gradients.

    r_t = sqrt(mean of v^_t over all entries of all parameters)
    w_{t+1} = (1 - eta lambda / r_t) w_t - eta m^_t / (sqrt(v^_t) + epsilon)

with the moments of Adam. Adam's step is the gradient over sqrt(v^_t); dividing the decay by its
mean keeps the two in proportion: decay grows as gradients shrink, and holds their norms down.

Source: Xie et al. (2023), "On the Overlooked Pitfalls of Weight Decay" (scheduled weight decay;
"stable weight decay" in its first version). Another method of 2025 has the same name.

Deviations: the authors' code has AMSGrad's maximum on by default; here v^_t is Adam's, as in the
paper's algorithm. The mean of v_t follows its own recursion from the mean of g_t^2, one number, so
that the step is torch's fused AdamW; the sum is over the parameters that have a gradient. lambda is
in units of gradients: about their root mean square times AdamW's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import AdamW, Optimizer

from harness.submission.interface import Hyperparameters, Schedule
from submissions.common.optimizers import TorchProblem, adam_on_all


class AdamS(AdamW):
    """The update above, for parameters of one group.

    Args:
        parameters: which parameters.
        weight_decay: lambda.
        options: as `torch.optim.AdamW` takes them.
    """

    def __init__(
        self, parameters: list[torch.Tensor], *, weight_decay: float, **options: Any
    ) -> None:
        group = {"params": parameters, "base_decay": weight_decay}
        group |= {"updates": 0, "mean_square": 0.0}
        super().__init__([group], weight_decay=0.0, **options)

    def step(self, closure: Any = None) -> Any:
        """AdamW's step, with this step's decay."""
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
        group["weight_decay"] = group["base_decay"] / (size + group["eps"])
        super().step()
        return loss


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """AdamS on all parameters, fused where the device has it, and its schedule."""
    return adam_on_all(AdamS, problem, hyperparameters)
