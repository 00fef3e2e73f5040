"""Hybrid conjugate gradients and BFGS with variable storage.

While fewer than m corrections are stored:
    H <- BFGS update of H with s = w_k - w_{k-1}, y = g_k - g_{k-1};   d_k = -H g_k
When the storage is full, H stays as it is and preconditions conjugate gradients:
    d_k = -H g_k + beta_k d_{k-1},   beta_k = y^T H g_k / y^T d_{k-1}
until Powell's criterion says that gradients are no longer orthogonal in H,
    |g_k^T H g_{k-1}| >= 0.2 g_k^T H g_k,
or d_k does not descend. Then all corrections are discarded and a new cycle starts with this pair as
its first, from H_0 = (s^T y / y^T y) I. w_{k+1} = w_k + alpha_k d_k, by the strong Wolfe conditions
with a small c2. With m = 0 this is the conjugate gradient method, with m large BFGS; on
a quadratic with exact searches every m gives the same points.

Source: Buckley and LeNir (1983), as the thesis describes it; Powell (1977) for the criterion.

Deviations: as in L-BFGS here, a step draws one batch of `batch_factor` times the workload's and
makes `iterations` on it. A new batch's gradients are not orthogonal to the last one's, so its first
direction is -H g without a conjugate term; the corrections stay. A pair that is not curved is left
out. A `schedule`, of which the paper has none, multiplies alpha_k.
"""

from __future__ import annotations

from torch import Tensor

from submissions.common.line_search import Trial
from submissions.common.quasi_newton import (
    QuasiNewton,
    cautious_length,
    is_curved,
    scaled_inverse_product,
)

POWELL = 0.2


class Submission(QuasiNewton):
    """Buckley and LeNir's method on mini-batches."""

    _last: tuple[Tensor, Tensor, Tensor] | None
    """The last step if the next direction is to be conjugate to it: s, g before it and y."""

    def begin(self) -> None:
        """No corrections."""
        self.state["known"] = False
        self.forget()

    def new_batch(self) -> None:
        """No step to be conjugate to."""
        self._last = None

    def forget(self) -> None:
        """A new cycle, along the gradient."""
        self.state["steps"], self.state["changes"], self.state["scale"] = [], [], 1.0
        self._last = None

    def learn(self, step: Tensor, before: Tensor, taken: Trial) -> None:
        """Store the pair while there is room; else the next direction is conjugate to the step."""
        self._last = None
        change = taken.gradient - before
        if not is_curved(step, change):
            return
        self.state["known"] = True
        if len(self.state["steps"]) < self.point["memory"]:
            self._store(step, change)
        else:
            self._last = (step, before, change)

    def direction(self, gradient: Tensor) -> Tensor:
        """d_k; a new cycle if Powell's criterion asks for one."""
        image = self._inverse(gradient)
        if self._last is None:
            return -image
        step, before, change = self._last
        direction = (change @ image) / (change @ step) * step - image
        overlaps = (image @ before).abs() >= POWELL * (image @ gradient)
        if not bool(overlaps | (direction @ gradient >= 0.0)):
            return direction
        self.forget()
        self._store(step, change)
        return -self._inverse(gradient)

    def first_length(self, gradient: Tensor, direction: Tensor) -> float:
        """1; along a conjugate direction what would change f as much as the last step did."""
        if not self.state["known"]:
            return cautious_length(gradient)
        if self._last is None:
            return 1.0
        step, before, _ = self._last
        return float((before @ step) / (gradient @ direction))

    def _inverse(self, vector: Tensor) -> Tensor:
        """H v."""
        state = self.state
        return scaled_inverse_product(state["steps"], state["changes"], vector, state["scale"])

    def _store(self, step: Tensor, change: Tensor) -> None:
        if not self.state["steps"]:
            self.state["scale"] = float((step @ change) / (change @ change))
        if self.point["memory"] > 0:
            self.state["steps"] = [*self.state["steps"], step]
            self.state["changes"] = [*self.state["changes"], change]
