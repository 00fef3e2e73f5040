"""Sophia's update in JAX, with the estimator of the Hessian's diagonal left to subclasses."""

from __future__ import annotations

from abc import abstractmethod

import jax
import jax.numpy as jnp
from jax import Array

from harness.submission.interface import Batch
from submissions.common.compiled_methods_jax import Carry, CompiledMethod, Now, train_pass
from submissions.common.methods_jax import State, Values, first_examples


class Sophia(CompiledMethod):
    """Base class of Sophia-G and Sophia-H; hyperparameters as for `sophia.Sophia`."""

    averages_weights = False
    estimate_backwards = 1
    """Backward passes of an estimate."""

    @abstractmethod
    def estimate(self, carry: Carry, batch: Batch[Array], key: Array) -> tuple[Values, Values]:
        """An estimate of the diagonal, shaped as the parameters, and the running statistics after
        its passes; a pure function.
        """

    def begin(self) -> State:
        """Initialise the averages to zero."""
        zeros = jax.tree.map(jnp.zeros_like, dict(self.problem.parameters))
        return {"momentum": zeros, "curvature": zeros}

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """Train on one batch, updating the curvature estimate first if due."""
        (batch,), point = batches, self.point
        pass_key, estimate_key = jax.random.split(now.key)
        curvature, buffers = jax.lax.cond(
            now.number % point["estimate_every"] == 0,
            self._update_curvature,
            lambda carry, *_: (carry.state["curvature"], carry.buffers),
            carry,
            self._part(batch),
            estimate_key,
        )
        carry = carry._replace(buffers=buffers)
        loss, gradients, buffers = train_pass(self.problem, carry, batch, pass_key)
        momentum = _average(carry.state["momentum"], self.clip_gradients(gradients), point["beta1"])
        rate = point["learning_rate"] * now.factor

        def move(value: Array, momentum: Array, curvature: Array) -> Array:
            step = momentum / jnp.maximum(point["gamma"] * curvature, point["epsilon"])
            step = jnp.clip(step, -point["rho"], point["rho"])
            # a clip makes a finite step of what is infinite; 0 times it is NaN, so it shows up
            step = step + 0.0 * momentum + 0.0 * curvature
            new: Array = (1 - rate * point["weight_decay"]) * value - rate * step
            return new

        parameters: Values = jax.tree.map(move, carry.parameters, momentum, curvature)
        return Carry(parameters, {"momentum": momentum, "curvature": curvature}, buffers), loss

    def passes(self, batches: tuple[Batch[Array], ...]) -> tuple[int, int, int]:
        """One of each, and those of an estimate if it was due."""
        (batch,) = batches
        if self.steps % self.point["estimate_every"] != 0:
            return super().passes(batches)
        examples = len(batch.targets) + len(self._part(batch).targets)
        return 2, 1 + self.estimate_backwards, examples

    def _update_curvature(
        self, carry: Carry, part: Batch[Array], key: Array
    ) -> tuple[Values, Values]:
        """The diagonal's average with an estimate in it, and the running statistics."""
        estimate, buffers = self.estimate(carry, part, key)
        return _average(carry.state["curvature"], estimate, self.point["beta2"]), buffers

    def _part(self, batch: Batch[Array]) -> Batch[Array]:
        return first_examples(batch, self.point["estimate_fraction"])


def _average(averages: Values, values: Values, beta: float) -> Values:
    result: Values = jax.tree.map(lambda a, v: a + (1 - beta) * (v - a), averages, values)
    return result
