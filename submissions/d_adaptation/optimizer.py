"""The optimizer of `submission.py`; see there for the update, its source and the deviations."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from submissions.common.learned_rate import Chunks, LearnedRate, Weights
from submissions.common.vectors import state_lists


class DAdaptAdam(LearnedRate):
    """Adam with D-Adaptation, with one estimate for all parameters of a group.

    Args:
        parameters: which parameters.
        lr: gamma, 1 times a schedule.
        betas: beta1 and beta2.
        eps: epsilon.
        weight_decay: lambda, decoupled.
        first_estimate: d_0.
        growth: the most by which the estimate is multiplied in one step.
        bias_correction: whether gamma is corrected for moments that start at zero.
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
        defaults: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps}
        defaults |= {"weight_decay": weight_decay, "growth": growth}
        defaults |= {"bias_correction": bias_correction}
        super().__init__(parameters, first_estimate, defaults)

    def estimated(self, group: dict[str, Any], parts: Chunks, rate: float) -> bool:
        """d_{k+1}, from <g_k, s_k / sqrt(v_k)> and ||s_{k+1}||_1."""
        beta1, beta2 = group["betas"]
        b = beta2**0.5
        weights = Weights(rate * (1 - beta1), 1 - beta2, rate * (1 - b))
        correlation, size = self.accumulate(parts, group, weights)
        group["numerator"] = b * group["numerator"] + (1 - b) * rate * correlation
        if size == 0.0:
            return False
        found = group["numerator"] / ((1 - b) * size)
        estimate = group["estimate"]
        group["estimate"] = max(estimate, min(found, estimate * group["growth"]))
        return True

    def way(
        self, group: dict[str, Any], parameters: list[torch.Tensor], total: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """s_k / sqrt(v_k)."""
        return list(torch._foreach_div(total, self._denominator(group, parameters)))

    def move(self, group: dict[str, Any], parameters: list[torch.Tensor], rate: float) -> None:
        """Decay, then m over sqrt(v); the rate is in m."""
        (first,) = state_lists(self.state, parameters, ("first",))
        if group["weight_decay"] != 0.0:
            torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
        denominator = self._denominator(group, parameters)
        torch._foreach_addcdiv_(parameters, first, denominator, -1.0)

    def _denominator(
        self, group: dict[str, Any], parameters: list[torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        (second,) = state_lists(self.state, parameters, ("second",))
        denominator = torch._foreach_sqrt(second)
        torch._foreach_add_(denominator, group["eps"])
        return denominator
