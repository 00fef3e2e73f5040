"""The optimizer of `submission.py`; see there for the update, its source and the deviations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from submissions.mathematics.optimizers import GroupwiseOptimizer
from submissions.mathematics.vectors import chunks, state_lists

Chunks = list[tuple[int, list[torch.Tensor]]]


class Prodigy(GroupwiseOptimizer):
    """Prodigy, with one estimate for all parameters of a group.

    Args:
        parameters: which parameters.
        lr: eta, 1 times a schedule.
        betas: beta1 and beta2.
        eps: epsilon.
        weight_decay: lambda, decoupled.
        first_estimate: d_0.
        coefficient: c.
        bias_correction: whether eta is corrected for moments that start at zero.
        safeguard_warmup: whether s leaves eta out.
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
        coefficient: float = 1.0,
        bias_correction: bool = False,
        safeguard_warmup: bool = False,
    ) -> None:
        defaults: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps}
        defaults |= {"weight_decay": weight_decay, "first_estimate": first_estimate}
        defaults |= {"coefficient": coefficient, "bias_correction": bias_correction}
        defaults |= {"safeguard_warmup": safeguard_warmup, "step": 0}
        defaults |= {"estimate": first_estimate, "numerator": 0.0}
        super().__init__(parameters, defaults)

    def update(self, group: dict[str, Any]) -> None:
        """One step of one group; none while the rate is zero, as nothing can be estimated then."""
        if group["lr"] == 0.0:
            return
        group["step"] += 1
        parts = chunks(self.state, group["params"])
        d, rate = group["estimate"], self._rate(group)
        correlation, size = self._accumulate(parts, group, rate)
        beta3 = group["betas"][1] ** 0.5
        scale = d / group["first_estimate"] * rate
        group["numerator"] = beta3 * group["numerator"] + scale * correlation
        if size == 0.0:
            return
        group["estimate"] = max(d, group["coefficient"] * group["numerator"] / size)
        for _, parameters in parts:
            first, second = state_lists(self.state, parameters, ("first", "second"))
            denominator = torch._foreach_sqrt(second)
            torch._foreach_add_(denominator, group["estimate"] * group["eps"])
            torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
            torch._foreach_addcdiv_(parameters, first, denominator, -rate)

    def _rate(self, group: dict[str, Any]) -> float:
        """eta_t d_t, corrected if asked."""
        rate: float = group["lr"] * group["estimate"]
        if group["bias_correction"]:
            beta1, beta2 = group["betas"]
            rate *= (1 - beta2 ** group["step"]) ** 0.5 / (1 - beta1 ** group["step"])
        return rate

    def _accumulate(self, parts: Chunks, group: dict[str, Any], rate: float) -> tuple[float, float]:
        """Update m, v and s; the inner product <g, w_0 - w> and ||s||_1 over all parameters."""
        (beta1, beta2), d = group["betas"], group["estimate"]
        weight = d / group["first_estimate"] * (d if group["safeguard_warmup"] else rate)
        sums: list[torch.Tensor] = []
        for _, parameters in parts:
            for parameter in parameters:
                if "start" not in self.state[parameter]:
                    self.state[parameter]["start"] = parameter.clone()
            start, first, second, total = state_lists(
                self.state, parameters, ("start", "first", "second", "sum")
            )
            gradients = [p.grad for p in parameters if p.grad is not None]
            way = torch._foreach_sub(start, parameters)
            torch._foreach_mul_(way, gradients)
            torch._foreach_mul_(first, beta1)
            torch._foreach_add_(first, gradients, alpha=d * (1 - beta1))
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, d * d * (1 - beta2))
            torch._foreach_mul_(total, beta2**0.5)
            torch._foreach_add_(total, gradients, alpha=weight)
            norms = torch._foreach_norm(total, 1)
            sums += [torch.stack([w.sum(), n]) for w, n in zip(way, norms, strict=True)]
        if not sums:
            return 0.0, 0.0
        correlation, size = torch.stack(sums).sum(0).tolist()
        return correlation, size
