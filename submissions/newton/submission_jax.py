"""Newton's method with the exact Hessian of a batch in JAX; see `submission.py` for the update.

As in `submission.py` the Hessian is float32 and its eigenvalues are computed in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Batch, Stream
from submissions.common.batch_loss_jax import FixedLoss, flatten
from submissions.common.double_jax import float64_enabled
from submissions.common.methods_jax import LiveProblem, Method, State, Values, first_examples

MOST = 2048
"""The number of parameters of the largest model that is accepted."""
CHUNK = 64
"""Rows of the Hessian computed at a time."""
SPECTRA = ("exact", "absolute")


class Submission(Method):
    """Newton's method on mini-batches."""

    def setup(self, problem: LiveProblem, hyperparameters: Mapping[str, Any]) -> None:
        """Store the problem and make the two compiled functions of a step."""
        super().setup(problem, hyperparameters)
        self._differentiate = jax.jit(self._derivatives)
        self._solve = jax.jit(self._newton_step)

    def begin(self) -> State:
        """Check the point and the model's size; there is no state apart from the parameters."""
        if self.point["spectrum"] not in SPECTRA:
            raise UnknownNameError("spectrum", self.point["spectrum"], SPECTRA)
        size = sum(value.size for value in self.problem.parameters.values())
        if size > MOST:
            raise HarnessError(
                f"newton computes a Hessian of {size} x {size} numbers for {size} parameters",
                f"allowed: at most {MOST}; hessian_free and natural_gradient need only products",
            )
        return {}

    def move(self, stream: Stream[Array]) -> Array:
        """Draw one large batch and step to where its quadratic model is stationary."""
        batch, key = self.large_batch(stream), jax.random.fold_in(self.problem.key, self.steps + 1)
        loss: Array
        loss, gradient, hessian = self._differentiate(self.parameters, batch, key)
        part = first_examples(batch, self.point["curvature_fraction"])
        examples = len(batch.targets) + len(part.targets)
        self.problem.note_passes(2, 1 + len(hessian), examples)
        with float64_enabled():
            self.parameters = self._solve(self.parameters, gradient, hessian, self.learning_rate())
        return loss

    def _derivatives(
        self, parameters: Values, batch: Batch[Array], key: Array
    ) -> tuple[Array, Array, Array]:
        """Loss and gradient (n,) of a batch, and the Hessian (n, n) of its first examples."""
        loss, gradients = FixedLoss(self.problem, batch, key)(parameters)
        part = first_examples(batch, self.point["curvature_fraction"])
        loss_of = FixedLoss(self.problem, part, key)
        vector, unflatten = flatten(parameters)

        def gradient_at(vector: Array) -> Array:
            return flatten(loss_of(unflatten(vector))[1])[0]

        _, product = jax.linearize(gradient_at, vector)
        hessian = jax.lax.map(product, jnp.eye(len(vector), dtype=vector.dtype), batch_size=CHUNK)
        return loss, flatten(self.clip_gradients(gradients))[0], hessian

    def _newton_step(
        self, parameters: Values, gradient: Array, hessian: Array, rate: Array
    ) -> Values:
        """Parameters after a step along V diag(1 / mu) V^T g."""
        values, vectors = jnp.linalg.eigh(hessian.astype(jnp.float64))
        sizes = jnp.maximum(jnp.abs(values), self.point["damping"])
        if self.point["spectrum"] == "exact":
            sizes = jnp.where(values < 0.0, -sizes, sizes)
        step = vectors @ ((vectors.T @ gradient.astype(jnp.float64)) / sizes)
        vector, unflatten = flatten(parameters)
        return unflatten(vector - (rate * step).astype(vector.dtype))
