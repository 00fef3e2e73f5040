"""Newton's method with the exact Hessian of a batch, for small models.

    H_t = V diag(lambda) V^T, the Hessian of the mean loss
    w_{t+1} = w_t - eta V diag(1 / mu) V^T g_t
    mu = sign(lambda) max(|lambda|, delta)    with spectrum = "exact"
    mu = max(|lambda|, delta)                 with spectrum = "absolute"

With "exact" and eta = 1 the step goes to the stationary point of the quadratic model, which is a
saddle or a maximum along directions of negative curvature; with "absolute" every step goes down.
g_t is the gradient of a batch of `batch_factor` times the workload's size, H_t the Hessian on the
first `curvature_fraction` of it. If these are fewer examples than a layer has inputs, H_t is
singular where g_t is not zero, and steps there are eta / delta long: on isotropic linear regression
of 64 inputs a damping of 1e-4 diverges within three steps and 0.1 slowly; 0.3 converges.

Sources: Nocedal and Wright (2006), section 3.3, for Newton's method; Dauphin et al. (2014) for
absolute eigenvalues ("saddle-free Newton"), there in a Krylov subspace.

Deviations: the floor delta (`damping`) on eigenvalues, without which a step is undefined where H_t
is singular; mini-batches. The matrix takes d^2 numbers and d backward passes, and its eigenvalues
d^3 operations: models of more than 2048 parameters are refused.
"""

from __future__ import annotations

import torch
from torch import Tensor

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Batch, Stream
from submissions.common.flat import add, flatten, unflatten
from submissions.common.methods import FixedLoss, Method, first_examples, fresh_random

MOST = 2048
"""The number of parameters of the largest model that is accepted."""
CHUNK = 64
"""Rows of the Hessian computed at a time."""
SPECTRA = ("exact", "absolute")


class Submission(Method):
    """Newton's method on mini-batches."""

    def begin(self) -> None:
        """Check the point and the model's size; there is no state apart from the parameters."""
        if self.point["spectrum"] not in SPECTRA:
            raise UnknownNameError("spectrum", self.point["spectrum"], SPECTRA)
        size = sum(value.numel() for value in self.parameters)
        if size > MOST:
            raise HarnessError(
                f"newton computes a Hessian of {size} x {size} numbers for {size} parameters",
                f"allowed: at most {MOST}; hessian_free and natural_gradient need only products",
            )

    def move(self, stream: Stream[Tensor]) -> Tensor:
        """Draw one large batch and step to where its quadratic model is stationary."""
        batch, random = self.large_batch(stream), fresh_random(self.problem)
        vector = flatten(self.parameters)
        loss, gradient = FixedLoss(self.problem, batch, random)(vector)
        part = first_examples(batch, self.point["curvature_fraction"])
        step = self._solve(self._hessian(vector, part, random), self.clip_gradients(gradient))
        add(self.parameters, step, -(self.learning_rate() or 0.0))
        return torch.tensor(loss)

    def _hessian(self, vector: Tensor, batch: Batch[Tensor], random: torch.Generator) -> Tensor:
        """The Hessian of a batch's mean loss, (n, n)."""
        names = list(self.problem.parameters)

        def loss(values: Tensor) -> Tensor:
            parts = dict(zip(names, unflatten(values, self.parameters), strict=True))
            return self.problem.evaluate(parts, batch, random).loss

        self.problem.note_passes(0, len(vector), 0)
        hessian: Tensor = torch.func.jacrev(torch.func.grad(loss), chunk_size=CHUNK)(vector)
        return hessian.detach()

    def _solve(self, hessian: Tensor, gradient: Tensor) -> Tensor:
        """V diag(1 / mu) V^T g; NaN where the Hessian is not finite."""
        if not bool(torch.isfinite(hessian).all()):
            return torch.full_like(gradient, torch.nan)
        values, vectors = torch.linalg.eigh(hessian.double())
        sizes = values.abs().clamp_min(self.point["damping"])
        if self.point["spectrum"] == "exact":
            sizes = torch.where(values < 0.0, -sizes, sizes)
        step: Tensor = vectors @ ((vectors.mT @ gradient.double()) / sizes)
        return step.to(gradient.dtype)
