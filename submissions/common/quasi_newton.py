"""Products with the inverse BFGS matrix, and quasi-Newton minimisation of one batch's loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from harness.submission.interface import Stream
from submissions.common.flat import assign, flatten
from submissions.common.line_search import Loss, Trial, Wolfe
from submissions.common.methods import FixedLoss, Method, fresh_random

LEAST_CURVATURE = 1e-10


def scaled_inverse_product(
    steps: Sequence[Tensor], changes: Sequence[Tensor], v: Tensor, scale: float | Tensor
) -> Tensor:
    """H v by the two-loop recursion (Nocedal, 1980), H_0 = `scale` I, oldest correction first.

    H_{k+1} = (I - rho s y^T) H_k (I - rho y s^T) + rho s s^T,   rho = 1 / y^T s

    Args:
        steps: parameter differences s, each (n,).
        changes: gradient differences y, each (n,).
        v: the vector to multiply, (n,).
        scale: scale of H_0.
    """
    v, weights = v.clone(), []
    pairs = [(s, y, s @ y) for s, y in zip(steps, changes, strict=True)]
    for s, y, product in reversed(pairs):
        weight = (s @ v) / product
        weights.append(weight)
        v -= weight * y
    v *= scale
    for (s, y, product), weight in zip(pairs, reversed(weights), strict=True):
        v += (weight - (y @ v) / product) * s
    return v


def is_curved(step: Tensor, change: Tensor) -> bool:
    """Whether y^T s is positive beyond rounding, which keeps H positive definite."""
    return bool(step @ change > LEAST_CURVATURE * (change @ change))


class QuasiNewton(Method):
    """Base class for line-search methods that run several iterations per large batch.

    Hyperparameters: `batch_factor`, `iterations` (per batch), `decrease` and `curvature` (c1 and
    c2), `evaluations` (maximum loss evaluations per line search). A schedule, if any, multiplies
    the length found by the search, at the cost of one more evaluation.
    """

    searches_lengths = True

    @abstractmethod
    def new_batch(self) -> None:
        """Called when a new batch starts: later gradients belong to it."""

    @abstractmethod
    def direction(self, gradient: Tensor) -> Tensor:
        """The search direction at the current point, (n,)."""

    @abstractmethod
    def first_length(self, gradient: Tensor, direction: Tensor) -> float:
        """The length to try first."""

    @abstractmethod
    def learn(self, step: Tensor, before: Tensor, end: Trial) -> None:
        """Update the corrections from a step, the gradient before it and its trial."""

    @abstractmethod
    def forget(self) -> None:
        """Drop all corrections, after a failed search along their direction."""

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """Draw one large batch and iterate on it; return the loss before the first iteration."""
        loss = FixedLoss(self.problem, self.large_batch(stream), fresh_random(self.problem))
        before, point = self.minimise(loss, flatten(self.parameters), self.point["iterations"])
        assign(self.parameters, point)
        return torch.tensor(before)

    def minimise(self, loss: Loss, point: Tensor, iterations: int) -> tuple[float, Tensor]:
        """Iterate from a point, (n,); return the loss there and the final point.

        When a search fails, the corrections are dropped and the gradient direction is used.
        """
        before, gradient = loss(point)
        value = before
        self.new_batch()
        for _ in range(iterations):
            direction = self.direction(gradient)
            if not bool(gradient @ direction < 0.0):
                self.forget()
                direction = -gradient
            end = self.take(loss, point, direction, value, gradient)
            if end.length == 0.0:
                # A length of zero due to the schedule is not a failed search.
                if self.factor != 0.0:
                    self.forget()
                continue
            point = point + end.length * direction
            self.learn(end.length * direction, gradient, end)
            value, gradient = end.value, end.gradient
        return before, point

    def take(
        self, loss: Loss, point: Tensor, direction: Tensor, value: float, gradient: Tensor
    ) -> Trial:
        """Run a line search along a direction and apply the schedule's factor to its length."""
        rule = Wolfe(
            self.point["decrease"], self.point["curvature"], int(self.point["evaluations"])
        )
        start = Trial(0.0, value, float(gradient @ direction), gradient)
        first = self.first_length(gradient, direction)
        end = rule.search(loss, point, direction, start, first)
        if self.factor == 1.0:
            return end
        return trial(loss, point, direction, self.factor * end.length)


def trial(loss: Loss, point: Tensor, direction: Tensor, length: float) -> Trial:
    """Evaluate value, slope and gradient at a length along a direction."""
    value, gradient = loss(point + length * direction)
    return Trial(length, value, float(gradient @ direction), gradient)


def cautious_length(gradient: Tensor) -> float:
    """min(1, 1 / ||g||_1): the first length along a gradient of unknown scale."""
    return 1.0 / max(1.0, float(gradient.abs().sum()))
