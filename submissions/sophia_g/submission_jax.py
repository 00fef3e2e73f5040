"""Sophia-G in JAX; see `submission.py` for the update.

As there, an estimate's pass moves the running statistics, too.
"""

from __future__ import annotations

import jax
from jax import Array

from harness.submission.interface import Batch
from submissions.common.compiled_methods_jax import Carry, trace_passes
from submissions.common.methods_jax import Values
from submissions.common.sophia_jax import Sophia


class Submission(Sophia):
    """Sophia with the Gauss-Newton-Bartlett estimator."""

    def estimate(self, carry: Carry, batch: Batch[Array], key: Array) -> tuple[Values, Values]:
        """N g^ * g^."""
        pass_key, label_key = jax.random.split(key)
        with trace_passes(self.problem, carry.buffers, pass_key):
            _, gradients, _ = self.problem.capture(
                carry.parameters, batch, random=label_key, names=()
            )
            buffers = self.problem.buffers
        return jax.tree.map(lambda g: batch.targets.size * g**2, gradients), buffers
