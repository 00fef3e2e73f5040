"""Sophia-G in JAX; see `submission.py` for the update.

Deviation from `submission.py`: an estimate's pass and the training pass each have a key of their
own, for dropout.
"""

from __future__ import annotations

import jax
from jax import Array

from harness.submission.interface import Batch
from submissions.common.methods_jax import Values
from submissions.common.sophia_jax import Sophia


class Submission(Sophia):
    """Sophia with the Gauss-Newton-Bartlett estimator."""

    def estimate(self, parameters: Values, batch: Batch[Array], key: Array) -> Values:
        """N g^ * g^."""
        pass_key, label_key = jax.random.split(key)

        def loss(parameters: Values) -> tuple[Array, Array]:
            logits = self.problem.evaluate(parameters, batch, pass_key).logits
            targets = self.problem.loss.sample_targets(logits, label_key)
            return self.problem.loss.value(logits, targets), targets

        gradients, targets = jax.grad(loss, has_aux=True)(parameters)
        squares: Values = jax.tree.map(lambda g: targets.size * g**2, gradients)
        return squares
