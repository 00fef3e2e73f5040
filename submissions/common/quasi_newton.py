"""The inverse BFGS matrix from its corrections, and minimisation of one batch's loss with it."""

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
        steps: the s, (n,) each.
        changes: the y, (n,) each.
        v: (n,).
        scale: of H_0.
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
    """Whether y^T s is positive beyond rounding, so that H stays positive definite."""
    return bool(step @ change > LEAST_CURVATURE * (change @ change))


class QuasiNewton(Method):
    """Some iterations of a line-search method on one large batch a step.

    Hyperparameters: `batch_factor`, `iterations` (on one batch), `decrease` and `curvature` (c1
    and c2), `evaluations` (of the loss in one search). A schedule, if there is one, multiplies the
    length that a search finds, at the cost of one more evaluation.
    """

    searches_lengths = True

    @abstractmethod
    def new_batch(self) -> None:
        """From here on gradients are another batch's."""

    @abstractmethod
    def direction(self, gradient: Tensor) -> Tensor:
        """Where to go from the current point, (n,)."""

    @abstractmethod
    def first_length(self, gradient: Tensor, direction: Tensor) -> float:
        """The length to try first."""

    @abstractmethod
    def learn(self, step: Tensor, before: Tensor, taken: Trial) -> None:
        """Take in a step, the gradient before it and the trial that it was."""

    @abstractmethod
    def forget(self) -> None:
        """Drop all corrections: the search along their direction failed."""

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """One large batch, and some iterations on it; the loss before them."""
        loss = FixedLoss(self.problem, self.large_batch(stream), fresh_random(self.problem))
        before, point = self.minimise(loss, flatten(self.parameters), self.point["iterations"])
        assign(self.parameters, point)
        return torch.tensor(before)

    def minimise(self, loss: Loss, point: Tensor, iterations: int) -> tuple[float, Tensor]:
        """Iterate from a point, (n,); the loss there, and the point reached.

        Where a search fails the corrections are dropped and the gradient is followed once more.
        """
        before, gradient = loss(point)
        value = before
        self.new_batch()
        for _ in range(iterations):
            direction = self.direction(gradient)
            if not bool(gradient @ direction < 0.0):
                self.forget()
                direction = -gradient
            taken = self.take(loss, point, direction, value, gradient)
            if taken.length == 0.0:
                # Where the schedule has put the rate to zero no search has failed.
                if self.factor != 0.0:
                    self.forget()
                continue
            point = point + taken.length * direction
            self.learn(taken.length * direction, gradient, taken)
            value, gradient = taken.value, taken.gradient
        return before, point

    def take(
        self, loss: Loss, point: Tensor, direction: Tensor, value: float, gradient: Tensor
    ) -> Trial:
        """How far to go along a direction: as searched for, times the schedule's factor."""
        rule = Wolfe(
            self.point["decrease"], self.point["curvature"], int(self.point["evaluations"])
        )
        start = Trial(0.0, value, float(gradient @ direction), gradient)
        first = self.first_length(gradient, direction)
        found = rule.search(loss, point, direction, start, first)
        if self.factor == 1.0:
            return found
        return trial(loss, point, direction, self.factor * found.length)


def trial(loss: Loss, point: Tensor, direction: Tensor, length: float) -> Trial:
    """What is found at a length along a direction."""
    value, gradient = loss(point + length * direction)
    return Trial(length, value, float(gradient @ direction), gradient)


def cautious_length(gradient: Tensor) -> float:
    """min(1, 1 / ||g||_1): the first length along a gradient whose scale nothing is known of."""
    return 1.0 / max(1.0, float(gradient.abs().sum()))
