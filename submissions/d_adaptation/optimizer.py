"""The optimizer of `submission.py`; see there for the update, its source and the deviations."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from submissions.mathematics.optimizers import GroupwiseOptimizer
from submissions.mathematics.vectors import chunks, state_lists

Chunks = list[tuple[int, list[torch.Tensor]]]


class DAdaptAdam(GroupwiseOptimizer):
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
        defaults |= {"bias_correction": bias_correction, "updates": 0}
        defaults |= {"estimate": first_estimate, "numerator": 0.0}
        super().__init__(parameters, defaults)

    def update(self, group: dict[str, Any]) -> None:
        """One step of one group; while the rate is zero nothing moves and nothing is estimated."""
        if group["lr"] == 0.0:
            return
        group["updates"] += 1
        parts = chunks(self.state, group["params"])
        rate, b = self._rate(group), group["betas"][1] ** 0.5
        correlation, size = self._accumulate(parts, group, rate)
        group["numerator"] = b * group["numerator"] + (1 - b) * rate * correlation
        if size == 0.0:
            return
        found = group["numerator"] / ((1 - b) * size)
        estimate = group["estimate"]
        group["estimate"] = max(estimate, min(found, estimate * group["growth"]))
        for _, parameters in parts:
            first, second = state_lists(self.state, parameters, ("first", "second"))
            denominator = torch._foreach_sqrt(second)
            torch._foreach_add_(denominator, group["eps"])
            if group["weight_decay"] != 0.0:
                torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
            torch._foreach_addcdiv_(parameters, first, denominator, -1.0)

    def _rate(self, group: dict[str, Any]) -> float:
        """d_k gamma_k, corrected if asked."""
        rate: float = group["lr"] * group["estimate"]
        if group["bias_correction"]:
            beta1, beta2 = group["betas"]
            rate *= (1 - beta2 ** group["updates"]) ** 0.5 / (1 - beta1 ** group["updates"])
        return rate

    def _accumulate(self, parts: Chunks, group: dict[str, Any], rate: float) -> tuple[float, float]:
        """Update m, v and s; <g_k, s_k / sqrt(v_k)> before it, ||s_{k+1}||_1 after it."""
        beta1, beta2 = group["betas"]
        b = beta2**0.5
        sums: list[torch.Tensor] = []
        for _, parameters in parts:
            first, second, total = state_lists(self.state, parameters, ("first", "second", "sum"))
            gradients = [p.grad for p in parameters if p.grad is not None]
            denominator = torch._foreach_sqrt(second)
            torch._foreach_add_(denominator, group["eps"])
            along = torch._foreach_div(total, denominator)
            torch._foreach_mul_(along, gradients)
            torch._foreach_mul_(first, beta1)
            torch._foreach_add_(first, gradients, alpha=rate * (1 - beta1))
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, 1 - beta2)
            torch._foreach_mul_(total, b)
            torch._foreach_add_(total, gradients, alpha=rate * (1 - b))
            norms = torch._foreach_norm(total, 1)
            sums += [torch.stack([w.sum(), n]) for w, n in zip(along, norms, strict=True)]
        if not sums:
            return 0.0, 0.0
        correlation, size = torch.stack(sums).sum(0).tolist()
        return correlation, size
