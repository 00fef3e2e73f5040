"""Entropy-SGD in JAX; see `submission.py` for the update.

All L Langevin steps are one compiled loop over L batches drawn before it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from harness.submission.interface import Batch, Stream
from submissions.common.batch_loss_jax import FixedLoss
from submissions.common.compiled_methods_jax import Carry, CompiledMethod, Now
from submissions.common.methods_jax import State, Values, stack_batches

Inner = tuple[Values, Values, Values]
"""x', mu and the inner momentum."""


class Submission(CompiledMethod):
    """The method of Chaudhari et al."""

    def begin(self) -> State:
        """Start with the scope given by the hyperparameters."""
        return {"scope": jnp.asarray(self.point["scope"], jnp.float32)}

    def draw(self, stream: Stream[Array]) -> tuple[Batch[Array], ...]:
        """A batch for each Langevin step."""
        return tuple(stream.next() for _ in range(int(self.point["langevin_steps"])))

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """Take L Langevin steps, then one towards their average; the loss is the inner mean."""
        x, scope, point = carry.parameters, carry.state["scope"], self.point

        def step(inner: Inner, at: tuple[Batch[Array], Array]) -> tuple[Inner, Array]:
            return self._langevin(inner, x, scope, *at)

        keys = jax.random.split(now.key, len(batches))
        zeros: Values = jax.tree.map(jnp.zeros_like, x)
        (_, average, _), losses = jax.lax.scan(step, (x, x, zeros), (stack_batches(batches), keys))
        rate = point["learning_rate"] * now.factor
        parameters: Values = jax.tree.map(lambda w, mu: w + rate * (mu - w), x, average)
        new_scope = scope * (1.0 + point["scoping"])
        scope = jnp.where(new_scope * point["langevin_rate"] <= 1.0, new_scope, scope)
        return Carry(parameters, {"scope": scope}, carry.buffers), losses.mean()

    def _langevin(
        self, inner: Inner, x: Values, scope: Array, batch: Batch[Array], key: Array
    ) -> tuple[Inner, Array]:
        """One Langevin step on x' and its average; the loss before it."""
        values, average, momentum = inner
        pass_key, noise_key = jax.random.split(key)
        loss, gradients = FixedLoss(self.problem, batch, pass_key)(values)
        gradients = self.clip_gradients(gradients)
        keys = dict(zip(values, jax.random.split(noise_key, len(values)), strict=True))
        new: Inner = ({}, {}, {})
        for name, value in values.items():
            new_value, speed = self._move(
                (value, momentum[name], x[name]), gradients[name], scope, keys[name]
            )
            new[0][name], new[2][name] = new_value, speed
            new[1][name] = average[name] + self.point["averaging"] * (new_value - average[name])
        return new, loss

    def _move(
        self, at: tuple[Array, Array, Array], gradient: Array, scope: Array, key: Array
    ) -> tuple[Array, Array]:
        """x' and its momentum after a step, of one parameter at x', its momentum and x."""
        value, momentum, x = at
        rate, rho = self.point["langevin_rate"], self.point["langevin_momentum"]
        decayed_gradient = gradient + self.point["weight_decay"] * value
        momentum = rho * momentum + decayed_gradient
        direction = decayed_gradient + rho * momentum + scope * (value - x)
        noise = jax.random.normal(key, value.shape, value.dtype)
        spread = (2.0 * rate) ** 0.5 * self.point["noise"]
        return value - rate * direction + spread * noise, momentum
