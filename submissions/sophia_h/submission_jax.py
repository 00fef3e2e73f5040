"""Sophia-H in JAX; see `submission.py` for the update.

`optax.contrib.sophia` is the same method with Rademacher probes and an estimate after the step.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import UnknownNameError
from harness.submission.interface import Batch
from submissions.common.compiled_methods_jax import Carry
from submissions.common.methods_jax import State, Values
from submissions.common.sophia_jax import Sophia

PROBES = ("normal", "rademacher")


class Submission(Sophia):
    """Sophia with Hutchinson's estimator."""

    estimate_backwards = 2

    def begin(self) -> State:
        """Check the probe and initialise the averages to zero."""
        if self.point["probe"] not in PROBES:
            raise UnknownNameError("probe", self.point["probe"], PROBES)
        return super().begin()

    def estimate(self, carry: Carry, batch: Batch[Array], key: Array) -> tuple[Values, Values]:
        """u * H u."""
        pass_key, probe_key = jax.random.split(key)

        def loss(parameters: Values) -> Array:
            return self.problem.evaluate(parameters, batch, pass_key).loss

        probes = self.probes(carry.parameters, probe_key)
        _, products = jax.jvp(jax.grad(loss), (carry.parameters,), (probes,))
        return jax.tree.map(jnp.multiply, probes, products), carry.buffers

    def probes(self, parameters: Values, key: Array) -> Values:
        """u, shaped as the parameters."""
        draw = jax.random.normal if self.point["probe"] == "normal" else jax.random.rademacher
        keys = jax.random.split(key, len(parameters))
        return {
            name: draw(one, value.shape, value.dtype)
            for one, (name, value) in zip(keys, parameters.items(), strict=True)
        }
