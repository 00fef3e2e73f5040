"""Elastic averaging SGD in JAX; see `submission.py` for the update.

All replicas are moved by one compiled loop over their batches.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import HarnessError
from harness.submission.interface import Batch, Stream
from submissions.common.batch_loss_jax import FixedLoss
from submissions.common.compiled_methods_jax import Carry, CompiledMethod, Now
from submissions.common.methods_jax import State, Values, stack_batches


class Submission(CompiledMethod):
    """The method of Zhang, Choromanska and LeCun; the centre is what `parameters` holds."""

    def begin(self) -> State:
        """Start all replicas, stacked along a first dimension, at the centre."""
        count, beta = int(self.point["replicas"]), self.point["elasticity"]
        most = 2.0 * count / (count + 1)
        if not 0.0 <= beta <= most:
            raise HarnessError(
                f"elasticity is {beta} with {count} replicas",
                f"allowed: 0 to 2 p / (p + 1) = {most:.3g}, beyond which the centre diverges "
                "at any learning rate",
            )
        centre = dict(self.problem.parameters)
        replicas = jax.tree.map(lambda x: jnp.stack([x] * count), centre)
        return {"replicas": replicas, "velocities": jax.tree.map(jnp.zeros_like, replicas)}

    def draw(self, stream: Stream[Array]) -> tuple[Batch[Array], ...]:
        """A batch for each replica."""
        return tuple(stream.next() for _ in range(int(self.point["replicas"])))

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """Move every replica on its own batch; the loss is the mean of theirs before the move."""
        alpha = self.point["elasticity"] / len(batches)
        is_due = now.number % int(self.point["period"]) == 0
        replicas, velocities = carry.state["replicas"], carry.state["velocities"]
        pulls: Values = jax.tree.map(
            lambda x, centre: jnp.where(is_due, alpha * (x - centre), 0.0),
            replicas,
            carry.parameters,
        )

        def move(at: tuple[Values, Values, Batch[Array], Array]) -> tuple[Values, Values, Array]:
            return self._move_replica(*at, self.point["learning_rate"] * now.factor)

        keys = jax.random.split(now.key, len(batches))
        new_replicas, velocities, losses = jax.lax.map(
            move, (replicas, velocities, stack_batches(batches), keys)
        )
        state = {
            "replicas": jax.tree.map(jnp.subtract, new_replicas, pulls),
            "velocities": velocities,
        }
        centre = jax.tree.map(lambda x, pull: x + pull.sum(0), carry.parameters, pulls)
        return Carry(centre, state, carry.buffers), losses.mean()

    def _move_replica(
        self, replica: Values, velocity: Values, batch: Batch[Array], key: Array, rate: Array
    ) -> tuple[Values, Values, Array]:
        """x + v, v and the loss at x + mu v of one replica."""
        mu, decay = self.point["momentum"], self.point["weight_decay"]
        ahead: Values = jax.tree.map(lambda x, v: x + mu * v, replica, velocity)
        loss, gradients = FixedLoss(self.problem, batch, key)(ahead)
        new: Values = jax.tree.map(
            lambda v, g, x: mu * v - rate * (g + decay * x),
            velocity,
            self.clip_gradients(gradients),
            ahead,
        )
        return jax.tree.map(jnp.add, replica, new), new, loss
