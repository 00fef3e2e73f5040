"""AdaGrad with the full matrix of outer products, for small models.

    G_t = G_{t-1} + g_t g_t^T
    w_{t+1} = w_t - eta (delta I + G_t^(1/2))^-1 g_t

Source: Duchi, Hazan and Singer (2011), Figure 1 with the full matrix and no regulariser; delta is
`epsilon`. The submission `adagrad` keeps only the diagonal, `ggt` the last gradients.

Deviations: none. The root is taken in float64 by eigenvalues, d^3 operations a step for d
parameters, and G takes d^2 numbers: models of more than 2048 parameters are refused.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.core.errors import HarnessError
from harness.submission.interface import Stream
from submissions.common.flat import add, flatten
from submissions.common.methods import FixedLoss, Method, fresh_random

MOST = 2048
"""The number of parameters of the largest model that is accepted."""


class Submission(Method):
    """Full-matrix AdaGrad."""

    def begin(self) -> None:
        """Start with a matrix of zeros."""
        vector = flatten(self.parameters)
        size = len(vector)
        if size > MOST:
            raise HarnessError(
                f"full_adagrad keeps a matrix of {size} x {size} numbers for {size} parameters",
                f"allowed: at most {MOST}; adagrad keeps its diagonal",
            )
        self.state["outer"] = torch.zeros(size, size, dtype=torch.float64, device=vector.device)

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """Add the outer product of one batch's gradient and step along its whitened direction."""
        loss_of = FixedLoss(self.problem, stream.next(), fresh_random(self.problem))
        loss, gradient = loss_of(flatten(self.parameters))
        step = self._whiten(self.clip_gradients(gradient).double()).to(gradient.dtype)
        add(self.parameters, step, -(self.learning_rate() or 0.0))
        return torch.tensor(loss)

    def _whiten(self, gradient: Tensor) -> Tensor:
        """(delta I + G^(1/2))^-1 g, with g in G; NaN where G is not finite."""
        outer: Tensor = self.state["outer"].addr_(gradient, gradient)
        if not bool(torch.isfinite(outer).all()):
            return torch.full_like(gradient, torch.nan)
        values, vectors = torch.linalg.eigh(outer)
        roots = values.clamp_min(0.0).sqrt() + self.point["epsilon"]
        step: Tensor = vectors @ ((vectors.mT @ gradient) / roots)
        return step
