"""Limited-memory BFGS on large batches, with a strong Wolfe line search.

    s_j = w_{j+1} - w_j,   y_j = grad f(w_{j+1}) - grad f(w_j),   rho_j = 1 / y_j^T s_j
    H_{j+1} = (I - rho_j s_j y_j^T) H_j (I - rho_j y_j s_j^T) + rho_j s_j s_j^T
    d_k = -H_k grad f(w_k),   from the last m pairs and H_0 = (s^T y / y^T y) I of the newest
    w_{k+1} = w_k + alpha_k d_k,   alpha_k by the strong Wolfe conditions, 1 tried first

A step draws one batch of `batch_factor` times the workload's and makes `iterations` of these on it.
f is that batch's loss throughout the step, so that y_j is never a difference between two batches'
gradients, whose noise would drown the curvature; the pairs are kept from batch to batch.

Sources: Liu and Nocedal (1989); the same batch on both ends of a pair is Schraudolph et al. (2007).
`line_search` "none" takes alpha_k = `learning_rate` (times min(1, 1 / ||g||_1) while there are no
pairs), as `torch.optim.LBFGS` does without a search, whose sequence it then is on one batch.

Deviations: mini-batches. A pair with y^T s <= 1e-10 y^T y is left out. Where a search finds nothing
lower, the pairs are dropped. A `schedule`, of which the paper has none, multiplies alpha_k.
"""

from __future__ import annotations

from torch import Tensor

from harness.core.errors import UnknownNameError
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
    """Liu and Nocedal's method on mini-batches."""

    def begin(self) -> None:
        """No pairs."""
        if self.point["line_search"] not in SEARCHES:
            raise UnknownNameError("line_search", self.point["line_search"], SEARCHES)
        self.forget()

    def new_batch(self) -> None:
        """The pairs stay."""

    def direction(self, gradient: Tensor) -> Tensor:
        """-H g."""
        steps, changes = self.state["steps"], self.state["changes"]
        if not steps:
            return -gradient
        scale = (steps[-1] @ changes[-1]) / (changes[-1] @ changes[-1])
        return -scaled_inverse_product(steps, changes, gradient, scale)

    def first_length(self, gradient: Tensor, direction: Tensor) -> float:
        """The rate, for which 1 is Newton's; less while nothing is known of the scale."""
        del direction
        unknown = not self.state["steps"]
        return float(self.point["learning_rate"]) * (cautious_length(gradient) if unknown else 1.0)

    def learn(self, step: Tensor, before: Tensor, taken: Trial) -> None:
        """Keep the last m pairs."""
        change = taken.gradient - before
        if is_curved(step, change):
            memory = int(self.point["memory"])
            self.state["steps"] = [*self.state["steps"], step][-memory:]
            self.state["changes"] = [*self.state["changes"], change][-memory:]

    def forget(self) -> None:
        """No pairs."""
        self.state["steps"], self.state["changes"] = [], []

    def take(
        self, loss: Loss, point: Tensor, direction: Tensor, value: float, gradient: Tensor
    ) -> Trial:
        """As searched for, or as it comes."""
        if self.point["line_search"] == "strong_wolfe":
            return super().take(loss, point, direction, value, gradient)
        return trial(loss, point, direction, self.factor * self.first_length(gradient, direction))
