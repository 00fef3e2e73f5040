"""Adam with an estimated step size: the shared part of D-Adaptation and Prodigy.

Both keep Adam's moments m and v, a weighted gradient sum s, a numerator and an estimate d of the
distance to the solution. They update the last two from two sums over all parameters: the inner
product of the gradients with a displacement, and the l1 norm of s. The methods differ in the
weights and the displacement.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import torch

from submissions.common.optimizers import Group, GroupwiseOptimizer
from submissions.common.vectors import chunks, state_lists

Chunks = list[tuple[int, list[torch.Tensor]]]


class Weights(NamedTuple):
    """Weights of the current gradient in m (`first`) and s (`total`), and of its square in v."""

    first: float
    second: float
    total: float


class LearnedRate(GroupwiseOptimizer):
    """Base class; groups hold `betas`, `estimate`, `numerator`, `updates` and the defaults.

    Args:
        parameters: the parameters to optimise.
        first_estimate: initial distance estimate (d_0).
        defaults: further group entries, including `lr`, `betas`, `eps` and `bias_correction`.
    """

    def __init__(
        self, parameters: Iterable[torch.Tensor], first_estimate: float, defaults: dict[str, object]
    ) -> None:
        defaults |= {"estimate": first_estimate, "numerator": 0.0, "updates": 0}
        super().__init__(parameters, defaults)

    @abstractmethod
    def update_estimate(self, group: Group, parts: Chunks, rate: float) -> bool:
        """Update moments and estimate; return False if no gradient has been seen yet."""

    @abstractmethod
    def move(self, group: Group, parameters: list[torch.Tensor], rate: float) -> None:
        """Update the parameters from their moments."""

    @abstractmethod
    def displacement(
        self, group: Group, parameters: list[torch.Tensor], total: list[torch.Tensor]
    ) -> list[torch.Tensor]:
        """The displacement, as new tensors; called before the moments are updated."""

    def update(self, group: Group) -> None:
        """Update one group; at a learning rate of zero neither parameters nor estimate change."""
        if group["lr"] == 0.0:
            return
        parts, rate = chunks(self.state, group["params"]), self._rate(group)
        if not self.update_estimate(group, parts, rate):
            return  # as in the sources, steps before the first gradient do not count
        group["updates"] += 1
        for _, parameters in parts:
            self.move(group, parameters, rate)

    def accumulate(self, parts: Chunks, group: Group, weights: Weights) -> tuple[float, float]:
        """Update m, v and s; return <gradients, displacement> before and ||s||_1 after it."""
        beta1, beta2 = group["betas"]
        correlations: list[torch.Tensor] = []
        sizes: list[torch.Tensor] = []
        for _, parameters in parts:
            first, second, total = state_lists(self.state, parameters, ("first", "second", "sum"))
            gradients = [p.grad for p in parameters if p.grad is not None]
            displacements = self.displacement(group, parameters, total)
            pairs = zip(displacements, gradients, strict=True)
            correlations += [torch.dot(w.flatten(), g.flatten()) for w, g in pairs]
            torch._foreach_mul_(first, beta1)
            torch._foreach_add_(first, gradients, alpha=weights.first)
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, weights.second)
            torch._foreach_mul_(total, beta2**0.5)
            torch._foreach_add_(total, gradients, alpha=weights.total)
            sizes += [s.abs().sum() for s in total]
        if not sizes:
            return 0.0, 0.0
        correlation, size = torch.stack(correlations + sizes).view(2, -1).sum(1).tolist()
        return correlation, size

    def _rate(self, group: Group) -> float:
        """The learning rate times the estimate, with Adam's bias correction if enabled."""
        rate: float = group["lr"] * group["estimate"]
        if group["bias_correction"]:
            (beta1, beta2), t = group["betas"], group["updates"] + 1
            rate *= (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        return rate
