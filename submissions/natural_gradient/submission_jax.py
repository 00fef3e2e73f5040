"""Natural gradient descent in JAX; see `submission.py` for the update."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import UnknownNameError
from harness.submission.interface import Batch, Stream
from harness.submission.parametrisation import scalings
from submissions.common.batch_loss_jax import FixedLoss, flatten
from submissions.common.compiled_methods_jax import Carry, CompiledMethod, Now
from submissions.common.conjugate_gradients_jax import conjugate_gradients, residual_below
from submissions.common.methods_jax import State, first_examples
from submissions.common.products_jax import Linearisation, Product, add_damping

FISHERS = ("exact", "sampled", "empirical")


class Submission(CompiledMethod):
    """Natural gradient descent on mini-batches."""

    parametrisation_rules = ("kfac",)

    def begin(self) -> State:
        """Check the point; only a count of the last step's products is kept."""
        if self.point["fisher"] not in FISHERS:
            raise UnknownNameError("fisher", self.point["fisher"], FISHERS)
        return {"products": jnp.zeros((), jnp.int32)}

    def draw(self, stream: Stream[Array]) -> tuple[Batch[Array], ...]:
        """One large batch."""
        return (self.large_batch(stream),)

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """Solve for the direction and take one step."""
        (batch,), (pass_key, label_key) = batches, jax.random.split(now.key)
        point, unflatten = flatten(carry.parameters)
        loss, gradients = FixedLoss(self.problem, batch, pass_key)(carry.parameters)
        gradient, _ = flatten(self.clip_gradients(gradients))
        part = first_examples(batch, self.point["curvature_fraction"])
        loss_of = FixedLoss(self.problem, part, pass_key)
        damping = self._damping()
        solution = conjugate_gradients(
            add_damping(self._fisher(Linearisation(loss_of, carry.parameters), label_key), damping),
            gradient,
            stop=residual_below(self.point["tolerance"] * jnp.linalg.norm(gradient)),
            iterations=int(self.point["cg_iterations"]),
        )
        # q = p^T A p / 2 - g^T p gives p^T A p; subtracting lambda |p|^2 leaves p^T F p.
        step = solution.x
        size = 2.0 * (solution.value + gradient @ step) - step @ (damping * step)
        bound = jnp.sqrt(2.0 * self.point["trust"] / jnp.maximum(size, 1e-30))
        rate = jnp.minimum(self.point["learning_rate"] * now.factor, bound)
        state = {"products": solution.iterations}
        return Carry(unflatten(point - rate * step), state, carry.buffers), loss

    def passes(self, batches: tuple[Batch[Array], ...]) -> tuple[int, int, int]:
        """The gradient's, the linearisation's, and one of each for every product."""
        products, (batch,) = int(self.state["products"]), batches
        part = len(first_examples(batch, self.point["curvature_fraction"]).targets)
        return 2 + products, 1 + products, len(batch.targets) + (1 + products) * part

    def _damping(self) -> float | Array:
        """lambda, or a vector of lambda times each weight's factor under a parametrisation."""
        damping: float = self.point["damping"]
        scales = scalings(self.problem.specs, self.point)
        if not scales:
            return damping
        by_name = {
            name: jnp.full(spec.shape, damping * math.prod(scales[name].damping))
            for name, spec in self.problem.specs.items()
        }
        return flatten(by_name)[0]

    def _fisher(self, linearisation: Linearisation, key: Array) -> Product:
        if self.point["fisher"] == "exact":
            return linearisation.gauss_newton()
        if self.point["fisher"] == "empirical":
            return linearisation.fisher()
        return linearisation.fisher(linearisation.sampled_targets(key))
