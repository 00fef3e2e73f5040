"""AdamC: AdamW whose decay of normalised weights is scaled by the schedule a second time.

    w_{t+1} = (1 - gamma_t lambda_t) w_t - gamma_t m^_t / (sqrt(v^_t) + epsilon)
    lambda_t = lambda gamma_t / gamma_max     corrected weights
    lambda_t = lambda                         all others, as in AdamW

with the moments of Adam. Where the loss is invariant to a weight's scale, decay and updates
balance at ||g|| / ||w|| = sqrt(2 lambda_t / gamma_t): under AdamW this ratio grows as the learning
rate falls, under AdamC it stays constant. gamma_max is the base learning rate, which every schedule
here reaches.

Source: Defazio (2025), Algorithm 1, which corrects the weights that a normalisation follows, and
reports that correcting all linear layers but the output works as well; this is also the thesis's
reading (section 5.4), and the default: `corrected = "hidden"`, every hidden matrix and kernel.

Deviations: `corrected = "declared"` takes only the weights that the model declares normalised:
every convolution of `resnet`, the queries and keys of `lm`, and none in networks without norms,
where this is AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import AdamW, Optimizer

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.layouts import with_matching_gradients
from submissions.common.optimizers import Closure, Group, TorchProblem, is_fused, without_hooks
from workloads.parameters import Role

CORRECTED = ("declared", "hidden")
HIDDEN = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)


class AdamC(AdamW):
    """AdamC; the module docstring states the update.

    Args:
        groups: parameter groups; those with `is_normalised = True` get the scaled decay.
        lr: peak learning rate (gamma_max).
        weight_decay: weight decay coefficient before scaling (lambda).
        options: further arguments of `torch.optim.AdamW`.
    """

    def __init__(
        self, groups: Iterable[Group], *, lr: float, weight_decay: float, **options: Any
    ) -> None:
        super().__init__(groups, lr=lr, weight_decay=weight_decay, **options)

    def add_param_group(self, param_group: Group) -> None:
        """Add a group; its own learning rate is its peak."""
        rate, decay = (param_group.get(n, self.defaults[n]) for n in ("lr", "weight_decay"))
        own = {"is_normalised": False, "peak": rate, "base_decay": decay}
        super().add_param_group({**own, **param_group})

    def step(self, closure: Closure | None = None) -> Any:
        """Take an AdamW step with the current decay."""
        for group in self.param_groups:
            if group["is_normalised"] and group["peak"] > 0.0:
                group["weight_decay"] = group["base_decay"] * group["lr"] / group["peak"]
        return without_hooks(AdamW.step)(self, closure)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """AdamC on all parameters, fused where supported, with its schedule."""
    which = hyperparameters["corrected"]
    if which not in CORRECTED:
        raise UnknownNameError("corrected", str(which), CORRECTED)
    parts: dict[bool, list[torch.Tensor]] = {False: [], True: []}
    for name, spec in problem.specs.items():
        is_corrected = spec.is_normalised if which == "declared" else spec.role in HIDDEN
        parts[is_corrected].append(problem.parameters[name])
    optimizer = AdamC(
        [
            {"params": members, "is_normalised": is_it}
            for is_it, members in parts.items()
            if members
        ],
        lr=hyperparameters["learning_rate"],
        betas=(hyperparameters["beta1"], hyperparameters["beta2"]),
        eps=hyperparameters["epsilon"],
        weight_decay=hyperparameters["weight_decay"],
        fused=is_fused(problem.parameters.values()),
    )
    return with_matching_gradients(optimizer), schedules.from_hyperparameters(hyperparameters)
