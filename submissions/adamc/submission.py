"""AdamC: AdamW whose decay of normalised weights is scaled with the schedule once more.

    w_{t+1} = (1 - gamma_t lambda_t) w_t - gamma_t m^_t / (sqrt(v^_t) + epsilon)
    lambda_t = lambda gamma_t / gamma_max     weights that a normalisation follows
    lambda_t = lambda                         all others, as AdamW

with the moments of Adam. Where the loss does not depend on a weight's scale, decay and steps
balance at ||g|| / ||w|| = sqrt(2 lambda_t / gamma_t): AdamW's ratio grows as the rate falls,
AdamC's stays. gamma_max is the base rate, which every schedule here reaches.

Source: Defazio (2025), Algorithm 1.

Deviations: `corrected = "hidden"` treats every hidden matrix and kernel as normalised, which the
thesis reports to work as well; the default, "declared", takes those that the model says are: every
convolution of `resnet`, queries and keys of `lm`, and in networks without norms none, where this is
AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch.optim import AdamW, Optimizer

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Schedule
from submissions.common import schedules
from submissions.common.optimizers import TorchProblem, is_fused
from workloads.parameters import Role

CORRECTED = ("declared", "hidden")
HIDDEN = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)


class AdamC(AdamW):
    """The update above.

    Args:
        groups: parameter groups; those with `normalised = True` have the scaled decay.
        lr: gamma_max.
        weight_decay: lambda.
        options: as `torch.optim.AdamW` takes them.
    """

    def __init__(
        self, groups: Iterable[dict[str, Any]], *, lr: float, weight_decay: float, **options: Any
    ) -> None:
        groups = [
            {"normalised": False, "peak": lr, "base_decay": weight_decay, **group}
            for group in groups
        ]
        super().__init__(groups, lr=lr, weight_decay=weight_decay, **options)

    def step(self, closure: Any = None) -> Any:
        """AdamW's step, with this step's decay."""
        for group in self.param_groups:
            if group["normalised"]:
                group["weight_decay"] = group["base_decay"] * group["lr"] / group["peak"]
        return super().step(closure)


def build(problem: TorchProblem, hyperparameters: Hyperparameters) -> tuple[Optimizer, Schedule]:
    """AdamC on all parameters, fused where the device has it, and its schedule."""
    which = hyperparameters["corrected"]
    if which not in CORRECTED:
        raise UnknownNameError("corrected", str(which), CORRECTED)
    parts: dict[bool, list[Any]] = {False: [], True: []}
    for name, spec in problem.specs.items():
        chosen = spec.normalised if which == "declared" else spec.role in HIDDEN
        parts[chosen].append(problem.parameters[name])
    optimizer = AdamC(
        [{"params": members, "normalised": is_it} for is_it, members in parts.items() if members],
        lr=hyperparameters["learning_rate"],
        betas=(hyperparameters["beta1"], hyperparameters["beta2"]),
        eps=hyperparameters["epsilon"],
        weight_decay=hyperparameters["weight_decay"],
        fused=is_fused(problem.parameters.values()),
    )
    return optimizer, schedules.from_hyperparameters(hyperparameters)
