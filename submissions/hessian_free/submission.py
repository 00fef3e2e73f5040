"""Hessian-free optimisation: damped Gauss-Newton steps, solved by conjugate gradients.

    q_t(p) = f(w_t) + grad f(w_t)^T p + p^T (G(w_t) + lambda I) p / 2
    p_t  <- conjugate gradients on (G + lambda I) p = -grad f(w_t), from `warm_start` p_{t-1},
            preconditioned by M = (diag F + lambda I)^`exponent`, until q_t stops decreasing
    p_t  <- the stored iterate of the search with the least f(w_t + p)
    rho   = (f(w_t + p_t) - f(w_t)) / (q_t(p_t) - q_t(0))
    lambda <- 3/2 lambda if rho < 1/4,   2/3 lambda if rho > 3/4
    w_{t+1} = w_t + alpha p_t,   alpha the first of 1, 0.8, 0.8^2, ... with sufficient decrease

f and its gradient use a batch of `batch_factor` times the workload's size; G uses the first
`curvature_fraction` of it. `curvature = "hessian"` replaces G by H, and "finite_difference" by the
thesis's H v = (grad f(w + e v) - grad f(w)) / e; either may be indefinite, and the search then ends
at the first direction of negative curvature.

Source: Martens (2010), Algorithms 1 and 2 and section 4.

Deviations: f is the loss of one fresh batch per step, not of all examples (as in Kiros, 2013).
Martens starts the search from 0.95 p_{t-1}; with a new batch per step this carries over the last
batch's noise and the loss rises, so `warm_start` is 0 by default. The diagonal in M is N times the
squared gradient under labels sampled from the model, an unbiased estimate of diag F that costs one
pass; Martens sums squared per-example gradients. If no trial of the line search decreases f, the
parameters are left unchanged. A `schedule`, which the paper lacks, multiplies alpha.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness.core.errors import UnknownNameError
from harness.submission.interface import Stream
from submissions.common.conjugate_gradients import Solution, conjugate_gradients, relative_progress
from submissions.common.flat import assign, flatten
from submissions.common.methods import FixedLoss, Method, first_examples, fresh_random
from submissions.common.products import Linearisation, Product, add_damping, finite_difference

CURVATURES = ("gauss_newton", "hessian", "finite_difference")
RAISE, LOWER = 1.5, 2.0 / 3.0
SHRINK, DECREASE, TRIALS = 0.8, 1e-2, 20


class Submission(Method):
    """The method of Martens."""

    searches_lengths = True

    def begin(self) -> None:
        """Start with the damping of the hyperparameters and no previous step."""
        if self.point["curvature"] not in CURVATURES:
            raise UnknownNameError("curvature", self.point["curvature"], CURVATURES)
        self.state["damping"] = float(self.point["damping"])
        self.state["previous"] = torch.zeros_like(flatten(self.parameters))

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """Draw one large batch, solve the damped model and take one step."""
        loss = FixedLoss(self.problem, self.large_batch(stream), fresh_random(self.problem))
        point = flatten(self.parameters)
        before, gradient = loss(point)
        solution = self._solve(loss, point, gradient)
        step, predicted_change, after = _backtrack(loss, point, solution)
        self._adapt(after - before, predicted_change)
        self.state["previous"] = solution.x
        length = _length(loss, point, step, (before, after), float(gradient @ step))
        assign(self.parameters, point + self.factor * length * step)
        return torch.tensor(before)

    def _solve(self, loss: FixedLoss, point: Tensor, gradient: Tensor) -> Solution:
        damping, warm_start = self.state["damping"], self.point["warm_start"]
        product, diagonal = self._curvature(loss, point)
        scale = (diagonal + damping) ** self.point["exponent"]
        return conjugate_gradients(
            add_damping(product, damping),
            -gradient,
            warm_start * self.state["previous"] if warm_start else None,
            stop=relative_progress(),
            iterations=self.point["cg_iterations"],
            preconditioner=lambda residual: residual / scale,
            keep=True,
        )

    def _curvature(self, loss: FixedLoss, point: Tensor) -> tuple[Product, Tensor]:
        """v -> G v (or its replacement), and an estimate of the diagonal of F, (n,)."""
        part = first_examples(loss.batch, self.point["curvature_fraction"])
        linearisation = Linearisation(self.problem, part, loss.random)
        targets = linearisation.sampled_targets(self.problem.generator)
        diagonal = linearisation.target_gradient(targets).square() * targets.numel()
        if self.point["curvature"] == "gauss_newton":
            return linearisation.gauss_newton(), diagonal
        if self.point["curvature"] == "hessian":
            return linearisation.hessian(), diagonal
        part_loss = FixedLoss(self.problem, part, loss.random)
        gradient = linearisation.gradient()
        return finite_difference(lambda w: part_loss(w)[1], point, gradient), diagonal

    def _adapt(self, actual: float, predicted_change: float) -> None:
        """Adapt the damping to the reduction ratio (Levenberg-Marquardt)."""
        ratio = actual / predicted_change if predicted_change < 0.0 else -math.inf
        if not ratio >= 0.25:
            self.state["damping"] *= RAISE
        elif ratio > 0.75:
            self.state["damping"] *= LOWER


def _backtrack(loss: FixedLoss, point: Tensor, solution: Solution) -> tuple[Tensor, float, float]:
    """Step back through the stored iterates while f falls; return the step, q - q(0) and f."""
    candidates = solution.iterates[::-1] or [(solution.x, solution.values[-1])]
    step, predicted_change = candidates[0]
    least = loss.value(point + step)
    for earlier, value in candidates[1:]:
        current = loss.value(point + earlier)
        if least < current:
            break
        step, predicted_change, least = earlier, value, current
    return step, predicted_change, least


def _length(
    loss: FixedLoss, point: Tensor, step: Tensor, ends: tuple[float, float], slope: float
) -> float:
    """alpha by Armijo's rule; 0 if no trial length gives a sufficient decrease.

    Args:
        loss: f.
        point: w, (n,).
        step: p, (n,).
        ends: f(w) and f(w + p).
        slope: the gradient's product with p.
    """
    before, after = ends
    length = 1.0
    for trial in range(TRIALS):
        value = loss.value(point + length * step) if trial else after
        if value <= before + DECREASE * length * min(slope, 0.0):
            return length
        length *= SHRINK
    return 0.0
