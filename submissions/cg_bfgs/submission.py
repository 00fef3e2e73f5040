"""Variable-storage hybrid of conjugate gradients and BFGS.

While fewer than m corrections are stored:
    H <- BFGS update of H with s = w_k - w_{k-1}, y = g_k - g_{k-1};   d_k = -H g_k
Once the storage is full, H is frozen and preconditions conjugate gradients:
    d_k = -H g_k + beta_k d_{k-1},   beta_k = y^T H g_k / y^T d_{k-1}
until Powell's criterion detects that successive gradients are no longer orthogonal under H,
    |g_k^T H g_{k-1}| >= 0.2 g_k^T H g_k,
or d_k is not a descent direction. Then all corrections are discarded and a new cycle starts from
H_0 = (s^T y / y^T y) I with this pair as its first correction. w_{k+1} = w_k + alpha_k d_k, where
alpha_k satisfies the strong Wolfe conditions with a small c2. m = 0 gives the conjugate gradient
method, a large m BFGS; on a quadratic with exact line searches every m gives the same iterates.

Source: Buckley and LeNir (1983), as the thesis describes it; Powell (1977) for the criterion.

Deviations: as in `lbfgs` here, a step draws one batch of `batch_factor` times the workload's size
and runs `iterations` iterations on it. A new batch's gradients are not orthogonal to the previous
batch's, so its first direction is -H g without a conjugate term; the corrections are kept. Pairs
without positive curvature are skipped. A `schedule`, which the paper lacks, multiplies alpha_k.
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
    """Last step (s, gradient before it, y) if the next direction is conjugate to it, else None."""

    def begin(self) -> None:
        """Start with no corrections."""
        self.state["known"] = False
        self.forget()

    def new_batch(self) -> None:
        """Drop the last step: directions are not conjugate across batches."""
        self._last = None

    def forget(self) -> None:
        """Start a new cycle along the gradient."""
        self.state["steps"], self.state["changes"], self.state["scale"] = [], [], 1.0
        self._last = None

    def learn(self, step: Tensor, before: Tensor, end: Trial) -> None:
        """Store the pair while there is room, else make the next direction conjugate to it."""
        self._last = None
        change = end.gradient - before
        if not is_curved(step, change):
            return
        self.state["known"] = True
        if len(self.state["steps"]) < self.point["memory"]:
            self._store(step, change)
        else:
            self._last = (step, before, change)

    def direction(self, gradient: Tensor) -> Tensor:
        """Return d_k, starting a new cycle if Powell's criterion requires one."""
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
        """1; for a conjugate direction, the length predicted to change f as the last step did."""
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
