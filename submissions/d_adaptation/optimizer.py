"""The optimizer behind `submission.py`, which states the update, its source and the deviations."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from submissions.common.learned_rate import Chunks, LearnedRate, Weights
from submissions.common.optimizers import Group
from submissions.common.vectors import state_lists


class DAdaptAdam(LearnedRate):
    """Adam with D-Adaptation; one distance estimate per parameter group.

    Args:
        parameters: the parameters to optimise.
        lr: multiplier on the estimated step size (gamma); 1 times the schedule.
        betas: decay rates of the first and second moments (beta1, beta2).
        eps: term added to the denominator (epsilon).
        weight_decay: decoupled weight decay coefficient (lambda).
        first_estimate: initial distance estimate (d_0).
        growth: upper bound on the estimate's growth factor per step.
        bias_correction: whether gamma includes Adam's bias correction.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        *,
        lr: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        first_estimate: float = 1e-6,
        growth: float = math.inf,
        bias_correction: bool = False,
    ) -> None:
        defaults: dict[str, object] = {"lr": lr, "betas": betas, "eps": eps}
        defaults |= {"weight_decay": weight_decay, "growth": growth}
        defaults |= {"bias_correction": bias_correction}
        super().__init__(parameters, first_estimate, defaults)

    def update_estimate(self, group: Group, parts: Chunks, rate: float) -> bool:
        """Update d_{k+1} from <g_k, s_k / sqrt(v_k)> and ||s_{k+1}||_1."""
        beta1, beta2 = group["betas"]
        b = beta2**0.5
        weights = Weights(rate * (1 - beta1), 1 - beta2, rate * (1 - b))
        correlation, size = self.accumulate(parts, group, weights)
        group["numerator"] = b * group["numerator"] + (1 - b) * rate * correlation
        if size == 0.0:
            return False
        candidate = group["numerator"] / ((1 - b) * size)
        estimate = group["estimate"]
        group["estimate"] = max(estimate, min(candidate, estimate * group["growth"]))
        return True

    def displacement(
        self, group: Group, parameters: list[torch.Tensor], total: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """s_k / sqrt(v_k)."""
        return list(torch._foreach_div(total, self._denominator(group, parameters)))

    def move(self, group: Group, parameters: list[torch.Tensor], rate: float) -> None:
        """Apply decay, then the step m / sqrt(v); the learning rate is already in m."""
        (first,) = state_lists(self.state, parameters, ("first",))
        if group["weight_decay"] != 0.0:
            torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
        denominator = self._denominator(group, parameters)
        torch._foreach_addcdiv_(parameters, first, denominator, -1.0)

    def _denominator(
        self, group: Group, parameters: list[torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        (second,) = state_lists(self.state, parameters, ("second",))
        denominator = torch._foreach_sqrt(second)
        torch._foreach_add_(denominator, group["eps"])
        return denominator
