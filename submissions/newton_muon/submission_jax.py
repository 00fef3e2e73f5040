"""Newton-Muon in JAX; see `submission.py` for the update. Muon's part is `submissions.muon`'s."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from harness.submission.interface import Batch, Capture, Hyperparameters
from submissions.common.compiled_methods_jax import (
    Carry,
    CompiledMethod,
    Now,
    trace_passes,
    train_pass,
)
from submissions.common.factored_layers import preconditionable
from submissions.common.kronecker_factors_jax import accumulate, damped_inverse, uses
from submissions.common.methods_jax import LiveProblem, State, Values
from submissions.muon import submission_jax as muon
from workloads.parameters import LayerSpec

INITIAL = 1e-3
"""K_0 over the identity."""
Matrices = dict[str, Array]
"""By the names of weights."""
Pass = tuple[Array, Values, Values, State]
"""Loss, gradients, running statistics, and second moments with their inverses."""


class Submission(CompiledMethod):
    """Newton-Muon on hidden layers, AdamW on the rest."""

    # Passes move the running statistics, and the live parameters are what is evaluated.
    averages_weights = False

    def setup(self, problem: LiveProblem, hyperparameters: Hyperparameters) -> None:
        """Store the problem; spikes are aligned with the steps that refresh the inverses."""
        phase = int(hyperparameters["refresh_every"]) - 1
        super().setup(problem, {"spike_phase": phase, **hyperparameters})

    def begin(self) -> State:
        """Build Muon, and start the second moments of the layers that it trains."""
        specs = self.problem.specs
        self.optimizer, _ = muon.build(self.problem, self.point)
        layers = preconditionable(self.problem.layers, specs, int(self.point["max_dim"]))
        self.layers = [layer for layer in layers if specs[layer.weight].role in muon.ROLES]
        widths = {
            layer.weight: specs[layer.weight].size // specs[layer.weight].shape[0]
            for layer in self.layers
        }
        return {
            "moments": {name: INITIAL * jnp.eye(width) for name, width in widths.items()},
            "inverses": {name: jnp.eye(width) for name, width in widths.items()},
            "optimizer": self.optimizer.init(dict(self.problem.parameters)),
        }

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """Train on one batch."""
        (batch,) = batches
        is_due = (now.number + 1) % self.point["refresh_every"] == 0
        loss, gradients, buffers, state = jax.lax.cond(
            is_due, self._pass_with_statistics, self._pass, carry, batch, now.key
        )
        gradients = self.clip_gradients(gradients)
        for name, inverse in state["inverses"].items():
            gradient = gradients[name]
            flat = gradient.reshape(len(gradient), -1) @ inverse
            gradients = {**gradients, name: flat.reshape(gradient.shape)}
        updates, optimizer = self.optimizer.update(gradients, state["optimizer"], carry.parameters)
        parameters = cast(
            "Values",
            optax.apply_updates(
                carry.parameters, jax.tree.map(lambda change: now.factor * change, updates)
            ),
        )
        return Carry(parameters, {**state, "optimizer": optimizer}, buffers), loss

    def _pass(self, carry: Carry, batch: Batch[Array], key: Array) -> Pass:
        return *train_pass(self.problem, carry, batch, key), carry.state

    def _pass_with_statistics(self, carry: Carry, batch: Batch[Array], key: Array) -> Pass:
        """The same, and from the same passes the second moments and their inverses."""
        names = tuple(layer.name for layer in self.layers)
        with trace_passes(self.problem, carry.buffers, key):
            evaluation, gradients, captures = self.problem.capture(
                carry.parameters, batch, names=names
            )
            buffers = self.problem.buffers
        pairs = {
            layer.weight: self._refresh(layer, carry.state, captures[layer.name])
            for layer in self.layers
        }
        state = {
            **carry.state,
            "moments": {name: moment for name, (moment, _) in pairs.items()},
            "inverses": {name: inverse for name, (_, inverse) in pairs.items()},
        }
        return evaluation.loss, gradients, buffers, state

    def _refresh(
        self, layer: LayerSpec, state: State, capture: Capture[Array]
    ) -> tuple[Array, Array]:
        """K with a batch in it, and its damped inverse."""
        shape = self.problem.specs[layer.weight].shape
        inputs = uses(replace(layer, bias=None), shape, capture).inputs
        rows = inputs.reshape(-1, inputs.shape[-1])
        old = state["moments"][layer.weight]
        moment = accumulate(old, rows / len(rows) ** 0.5, self.point["input_beta"])
        damping = self.point["ridge"] * jnp.diagonal(moment).mean()
        return moment, damped_inverse(moment, damping)
