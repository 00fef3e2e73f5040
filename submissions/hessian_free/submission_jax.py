"""Hessian-free optimisation in JAX; see `submission.py` for the update.

Solution, stepping back and line search are one compiled function.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import UnknownNameError
from harness.submission.interface import Batch, Stream
from submissions.common.batch_loss_jax import FixedLoss, flatten
from submissions.common.compiled_methods_jax import Carry, CompiledMethod, Now
from submissions.common.conjugate_gradients_jax import (
    Solution,
    conjugate_gradients,
    relative_progress,
)
from submissions.common.methods_jax import State, first_examples
from submissions.common.products_jax import Linearisation, Product, add_damping

CURVATURES = ("gauss_newton", "hessian", "finite_difference")
RAISE, LOWER = 1.5, 2.0 / 3.0
SHRINK, DECREASE, TRIALS = 0.8, 1e-2, 20


class Submission(CompiledMethod):
    """The method of Martens."""

    searches_lengths = True

    def begin(self) -> State:
        """Start with the damping of the hyperparameters and no previous step."""
        if self.point["curvature"] not in CURVATURES:
            raise UnknownNameError("curvature", self.point["curvature"], CURVATURES)
        size = sum(value.size for value in self.problem.parameters.values())
        return {
            "damping": jnp.asarray(self.point["damping"], jnp.float32),
            "previous": jnp.zeros(size),
            "products": jnp.zeros((), jnp.int32),
            "values": jnp.zeros((), jnp.int32),
        }

    def draw(self, stream: Stream[Array]) -> tuple[Batch[Array], ...]:
        """One large batch."""
        return (self.large_batch(stream),)

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """Solve the damped model of one large batch and take one step."""
        (batch,), (pass_key, label_key) = batches, jax.random.split(now.key)
        point, unflatten = flatten(carry.parameters)
        loss_of = FixedLoss(self.problem, batch, pass_key)
        before, gradients = loss_of(carry.parameters)
        gradient, _ = flatten(gradients)

        def value(vector: Array) -> Array:
            return loss_of.value(unflatten(vector))

        part_loss = FixedLoss(self.problem, self._part(batch), pass_key)
        solution = self._solve(carry, part_loss, gradient, label_key)
        place, after, values = _backtrack(value, point, solution)
        step, predicted_change = solution.iterates[place], solution.iterate_values[place]
        length, trials = _length(value, point, step, (before, after, gradient @ step))
        state = {
            "damping": _adapt(carry.state["damping"], after - before, predicted_change),
            "previous": solution.x,
            "products": solution.iterations + (self.point["warm_start"] != 0.0),
            "values": values + trials,
        }
        new_parameters = unflatten(point + now.factor * length * step)
        return Carry(new_parameters, state, carry.buffers), before

    def passes(self, batches: tuple[Batch[Array], ...]) -> tuple[int, int, int]:
        """Those of f, its gradient and the linearisation, and of every product and value of f."""
        products, values = (int(self.state[name]) for name in ("products", "values"))
        (batch,) = batches
        whole, part = len(batch.targets), len(self._part(batch).targets)
        return 2 + products + values, 2 + products, (1 + values) * whole + (1 + products) * part

    def _part(self, batch: Batch[Array]) -> Batch[Array]:
        return first_examples(batch, self.point["curvature_fraction"])

    def _solve(self, carry: Carry, loss_of: FixedLoss, gradient: Array, key: Array) -> Solution:
        damping, warm_start = carry.state["damping"], self.point["warm_start"]
        product, diagonal = self._curvature(Linearisation(loss_of, carry.parameters), key)
        scale = (diagonal + damping) ** self.point["exponent"]
        return conjugate_gradients(
            add_damping(product, damping),
            -gradient,
            warm_start * carry.state["previous"] if warm_start else None,
            stop=relative_progress(),
            iterations=int(self.point["cg_iterations"]),
            preconditioner=lambda residual: residual / scale,
            keep=True,
        )

    def _curvature(self, linearisation: Linearisation, key: Array) -> tuple[Product, Array]:
        """v -> G v (or its replacement), and an estimate of the diagonal of F, (n,)."""
        targets = linearisation.sampled_targets(key)
        diagonal = linearisation.target_gradient(targets) ** 2 * targets.size
        if self.point["curvature"] == "gauss_newton":
            return linearisation.gauss_newton(), diagonal
        if self.point["curvature"] == "hessian":
            return linearisation.hessian(), diagonal
        return linearisation.finite_difference(), diagonal


def _adapt(damping: Array, actual: Array, predicted_change: Array) -> Array:
    """The damping after a step with this reduction ratio (Levenberg-Marquardt)."""
    ratio = jnp.where(predicted_change < 0.0, actual / predicted_change, -jnp.inf)
    factor = jnp.where(ratio > 0.75, LOWER, 1.0)
    return damping * jnp.where(ratio >= 0.25, factor, RAISE)


def _backtrack(
    value: Callable[[Array], Array], point: Array, solution: Solution
) -> tuple[Array, Array, Array]:
    """Step back through the stored iterates while f falls; place, f there and trials."""

    def at(place: Array) -> Array:
        return value(point + solution.iterates[place])

    def back(search: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        place, least, count, _ = search
        current = at(place - 1)
        rises = least < current
        place, least = jnp.where(rises, place, place - 1), jnp.where(rises, least, current)
        return place, least, count + 1, rises | (place == 0)

    last = solution.num_stored - 1
    initial = (last, at(last), jnp.ones((), jnp.int32), last == 0)
    place, least, count, _ = jax.lax.while_loop(lambda search: ~search[3], back, initial)
    return place, least, count


def _length(
    value: Callable[[Array], Array], point: Array, step: Array, known: tuple[Array, Array, Array]
) -> tuple[Array, Array]:
    """alpha by Armijo's rule, 0 if no trial fits, and the number of values of f.

    Args:
        value: f.
        point: w, (n,).
        step: p, (n,).
        known: f(w), f(w + p) and the gradient's product with p.
    """
    before, after, slope = known

    def check(length: Array, count: Array, current: Array) -> tuple[Array, Array, Array]:
        fits = current <= before + DECREASE * length * jnp.minimum(slope, 0.0)
        return jnp.where(fits, length, SHRINK * length), count, fits

    def try_next(search: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        length, count, _ = search
        return check(length, count + 1, value(point + length * step))

    length, count, fits = jax.lax.while_loop(
        lambda search: (search[1] < TRIALS - 1) & ~search[2],
        try_next,
        check(jnp.ones(()), jnp.zeros((), jnp.int32), after),
    )
    return jnp.where(fits, length, 0.0), count
