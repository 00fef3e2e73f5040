"""Limited-memory BFGS on large batches, with a strong Wolfe line search.

    s_j = w_{j+1} - w_j,   y_j = grad f(w_{j+1}) - grad f(w_j),   rho_j = 1 / y_j^T s_j
    H_{j+1} = (I - rho_j s_j y_j^T) H_j (I - rho_j y_j s_j^T) + rho_j s_j s_j^T
    d_k = -H_k grad f(w_k),   from the last m pairs and H_0 = (s^T y / y^T y) I of the newest
    w_{k+1} = w_k + alpha_k d_k,   alpha_k by the strong Wolfe conditions, 1 tried first

A step draws one batch of `batch_factor` times the workload's size and runs `iterations` iterations
on it. f is that batch's loss throughout the step, so y_j never mixes the gradients of two batches,
whose noise would swamp the curvature. The pairs are kept from batch to batch.

Sources: Liu and Nocedal (1989); evaluating both ends of a pair on one batch is due to Schraudolph
et al. (2007). `line_search = "none"` takes alpha_k = `learning_rate` (times min(1, 1 / ||g||_1)
while there are no pairs); on a single batch this reproduces `torch.optim.LBFGS` without a line
search.

Deviations: mini-batches. Pairs with y^T s <= 1e-10 y^T y are skipped. If a line search finds no
lower value, all pairs are dropped. A `schedule`, which the paper lacks, multiplies alpha_k.
"""

from __future__ import annotations

from torch import Tensor

from harness.core.errors import HarnessError, UnknownNameError
from submissions.common.line_search import Loss, Trial
from submissions.common.quasi_newton import (
    QuasiNewton,
    cautious_length,
    is_curved,
    scaled_inverse_product,
    trial,
)

SEARCHES = ("strong_wolfe", "none")


class Submission(QuasiNewton):
    """The method of Liu and Nocedal on mini-batches."""

    def begin(self) -> None:
        """Start with no pairs."""
        if self.point["line_search"] not in SEARCHES:
            raise UnknownNameError("line_search", self.point["line_search"], SEARCHES)
        if int(self.point["memory"]) < 1:
            raise HarnessError(f"memory is {self.point['memory']}", "allowed: 1, 2, ... pairs")
        self.forget()

    def new_batch(self) -> None:
        """Keep the pairs."""

    def direction(self, gradient: Tensor) -> Tensor:
        """Return -H g."""
        steps, changes = self.state["steps"], self.state["changes"]
        if not steps:
            return -gradient
        scale = (steps[-1] @ changes[-1]) / (changes[-1] @ changes[-1])
        return -scaled_inverse_product(steps, changes, gradient, scale)

    def first_length(self, gradient: Tensor, direction: Tensor) -> float:
        """The learning rate (1 is the Newton step), reduced while there are no pairs."""
        del direction
        unknown = not self.state["steps"]
        return float(self.point["learning_rate"]) * (cautious_length(gradient) if unknown else 1.0)

    def learn(self, step: Tensor, before: Tensor, end: Trial) -> None:
        """Store the pair and keep the last m."""
        change = end.gradient - before
        if is_curved(step, change):
            memory = int(self.point["memory"])
            self.state["steps"] = [*self.state["steps"], step][-memory:]
            self.state["changes"] = [*self.state["changes"], change][-memory:]

    def forget(self) -> None:
        """Drop all pairs."""
        self.state["steps"], self.state["changes"] = [], []

    def take(
        self, loss: Loss, point: Tensor, direction: Tensor, value: float, gradient: Tensor
    ) -> Trial:
        """Take the length found by the line search, or without one the first length."""
        if self.point["line_search"] == "strong_wolfe":
            return super().take(loss, point, direction, value, gradient)
        return trial(loss, point, direction, self.factor * self.first_length(gradient, direction))
