"""Schedule-free averaging for any update direction (Defazio et al., 2024).

    z_{t+1} = z_t - eta_t (d_t + lambda y_t),   d_t the step's direction at y_t
    x_{t+1} = (1 - c_{t+1}) x_t + c_{t+1} z_{t+1},   c_{t+1} = m_t^2 / sum_{i <= t} m_i^2
    y_{t+1} = beta x_{t+1} + (1 - beta) z_{t+1}

with m_t the largest learning rate so far. The parameters hold y during training; x is evaluated. x
is not stored: x = (y - (1 - beta) z) / beta.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch

from harness.core.errors import HarnessError
from submissions.common.evaluation_mode import EvaluatesAverage
from submissions.common.optimizers import Group
from submissions.common.vectors import chunks, state_copies


class Directions(NamedTuple):
    """One direction d per tensor: gradients, or gradients over denominators, times a factor."""

    gradients: list[torch.Tensor]
    denominators: Sequence[torch.Tensor] = ()
    factor: float = 1.0

    def add_to(self, values: list[torch.Tensor], alpha: float) -> None:
        """values <- values + alpha d."""
        scale = alpha * self.factor
        if self.denominators:
            torch._foreach_addcdiv_(values, self.gradients, list(self.denominators), scale)
        else:
            torch._foreach_add_(values, self.gradients, alpha=scale)


class ScheduleFree(EvaluatesAverage):
    """Schedule-free averaging of the updates given by `directions`.

    Args:
        parameters: the parameters to optimise.
        momentum: interpolation weight in (0, 1] (beta).
        defaults: further group entries, including `lr` and `weight_decay`.
    """

    def __init__(
        self, parameters: Iterable[torch.Tensor], momentum: float, defaults: Mapping[str, object]
    ) -> None:
        if not 0.0 < momentum <= 1.0:
            raise HarnessError(f"schedule-free momentum is {momentum}", "allowed: 0 < beta <= 1")
        own = {"interpolation": momentum, "largest_rate": 0.0, "weight_sum": 0.0}
        super().__init__(parameters, {**defaults, **own})

    @abstractmethod
    def directions(self, ys: list[torch.Tensor], t: int, group: Group) -> Directions:
        """The directions d_t; t counts from 1."""

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        rate, beta, decay = group["lr"], group["interpolation"], group["weight_decay"]
        group["largest_rate"] = max(rate, group["largest_rate"])
        weight = group["largest_rate"] ** 2
        group["weight_sum"] += weight
        fraction = weight / group["weight_sum"] if weight > 0.0 else 0.0
        for t, ys in chunks(self.state, group["params"]):
            zs = state_copies(self.state, ys, "z")
            steps = self.directions(ys, t, group)
            # x is implicit, so y takes z's displacement less the fraction beta (1 - c).
            y_rate = rate * (1 - beta * (1 - fraction))
            if not steps.denominators and decay != 0.0:
                steps = Directions(list(torch._foreach_add(steps.gradients, ys, alpha=decay)))
            if steps.denominators and decay != 0.0:
                # z is decayed first, so the interpolation passes part of the decay on to y
                torch._foreach_sub_(zs, ys, alpha=rate * decay)
                kept_fraction = 1 - decay * (y_rate - fraction * rate)
                torch._foreach_lerp_(ys, zs, fraction / kept_fraction)
                torch._foreach_mul_(ys, kept_fraction)
            else:
                torch._foreach_lerp_(ys, zs, fraction)
            steps.add_to(ys, -y_rate)
            steps.add_to(zs, -rate)

    def average(self, parameter: torch.Tensor, group: Group) -> torch.Tensor | None:
        """The average x."""
        z = self.state[parameter].get("z")
        return None if z is None else torch.lerp(parameter, z, 1 - 1 / group["interpolation"])
