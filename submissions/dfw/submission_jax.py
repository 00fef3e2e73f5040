"""De-bias and feature-whiten (DFW) in JAX; see `submission.py` for the update.

Deviations from `submission.py`: `output_side` is "identity" alone. The Jacobian's moment takes the
gradients of a random combination of the logits at each layer, and the captures here are those of a
loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import HarnessError
from harness.submission.interface import Batch, Stream
from submissions.common.compiled_methods_jax import Carry, CompiledMethod, Now, trace_passes
from submissions.common.factored_layers import preconditionable
from submissions.common.kronecker_factors_jax import accumulate, damped_inverse, uses
from submissions.common.layers_jax import Layer, rest_of
from submissions.common.methods_jax import TINY, State, Values
from submissions.common.staggering_jax import is_due
from workloads.parameters import Role


class Submission(CompiledMethod):
    """The method of Zhang et al., applied layer by layer."""

    # Passes move the running statistics, and the live parameters are what is evaluated.
    averages_weights = False

    def begin(self) -> State:
        """Split the parameters into body, head and the rest."""
        problem, point = self.problem, self.point
        if point["output_side"] != "identity":
            raise HarnessError(
                f"output_side is {point['output_side']!r}",
                "allowed in jax: 'identity'; for 'jacobian' train with --framework torch",
            )
        specs = preconditionable(problem.layers, problem.specs, int(point["max_dim"]))
        if not specs:
            raise HarnessError(
                f"no layer has both sides within max_dim = {point['max_dim']}",
                "raise max_dim, or train this workload with another submission",
            )
        layers = [Layer(spec, problem.specs[spec.weight].shape) for spec in specs]
        roles = {layer: problem.specs[layer.spec.weight].role for layer in layers}
        self.head = [layer for layer in layers if roles[layer] == Role.OUTPUT]
        self.body = [layer for layer in layers if layer not in self.head]
        self.rest = rest_of(problem.specs, layers, point)
        return {
            "layers": {layer.spec.name: _start(layer) for layer in layers},
            "rest": self.rest.begin(problem.parameters),
        }

    def draw(self, stream: Stream[Array]) -> tuple[Batch[Array], ...]:
        """A batch for the body and, if there is a head, another for that."""
        return tuple(stream.next() for _ in range(1 + bool(self.head)))

    def update(
        self, carry: Carry, batches: tuple[Batch[Array], ...], now: Now
    ) -> tuple[Carry, Array]:
        """Update the body on one batch and the head on the next; the loss is the first's."""
        first, second = (now._replace(key=key) for key in jax.random.split(now.key))
        loss, gradients, carry = self._observe(carry, self.body, batches[0], first)
        rest, rest_state = self.rest.move(
            carry.parameters, gradients, carry.state["rest"], now.factor
        )
        carry = self._update_layers(carry, self.body, gradients, now)
        carry = carry._replace(
            parameters={**carry.parameters, **rest}, state={**carry.state, "rest": rest_state}
        )
        if self.head:
            _, gradients, carry = self._observe(carry, self.head, batches[1], second)
            carry = self._update_layers(carry, self.head, gradients, now)
        return carry, loss

    def _observe(
        self, carry: Carry, layers: Sequence[Layer], batch: Batch[Array], now: Now
    ) -> tuple[Array, Values, Carry]:
        """One batch's loss, clipped gradients, and the layers with its inputs' moments.

        The head's gradients are clipped by their own norm, the body's by that of all.
        """
        names = tuple(layer.spec.name for layer in layers)
        with trace_passes(self.problem, carry.buffers, now.key):
            evaluation, gradients, captures = self.problem.capture(
                carry.parameters, batch, names=names
            )
            buffers = self.problem.buffers
        layer_states = dict(carry.state["layers"])
        beta = jnp.minimum(self.point["factor_beta"], now.number / (now.number + 1))
        for layer in layers:
            name = layer.spec.name
            inputs = uses(layer.spec, layer.weight, captures[name]).inputs
            rows = inputs.reshape(-1, inputs.shape[-1])
            moment = accumulate(layer_states[name]["inputs"], rows / len(rows) ** 0.5, beta)
            layer_states[name] = {**layer_states[name], "inputs": moment}
        if layers is self.head:
            gradients = {name: gradients[name] for layer in layers for name in layer.names}
        state = {**carry.state, "layers": layer_states}
        return (
            evaluation.loss,
            self.clip_gradients(gradients),
            Carry(carry.parameters, state, buffers),
        )

    def _update_layers(
        self, carry: Carry, layers: Sequence[Layer], gradients: Values, now: Now
    ) -> Carry:
        """The carry after a step of some layers, whose inverses are refreshed first if due."""
        rate, point = self.point["learning_rate"] * now.factor, self.point
        parameters, layer_states = dict(carry.parameters), dict(carry.state["layers"])
        for place, layer in enumerate(layers):
            name = layer.spec.name
            own, period = layer_states[name], int(point["refresh_every"])
            is_turn = is_due(place, len(layers), jnp.asarray(now.number), period)
            inverse = jax.lax.cond(
                is_turn | (now.number == 0),
                lambda own: _whitener(own["inputs"], point["damping"]),
                lambda own: own["inputs_inverse"],
                own,
            )
            step = layer.matrix(gradients) @ inverse
            size = jnp.linalg.norm(parameters[layer.spec.weight])
            shrink = point["trust"] * size / jnp.maximum(rate * jnp.linalg.norm(step), 1e-30)
            step = step * jnp.where(size > 0.0, jnp.minimum(shrink, 1.0), 1.0)
            momentum = point["momentum"] * own["momentum"] + step
            parameters |= layer.move(parameters, momentum, rate, point["weight_decay"])
            layer_states[name] = {**own, "inputs_inverse": inverse, "momentum": momentum}
        return Carry(parameters, {**carry.state, "layers": layer_states}, carry.buffers)


def _start(layer: Layer) -> State:
    _, width = layer.matrix_shape
    zeros = jnp.zeros((width, width))
    return {"inputs": zeros, "inputs_inverse": zeros, "momentum": jnp.zeros(layer.matrix_shape)}


def _whitener(moment: Array, damping: float) -> Array:
    """(Q + lambda I)^-1, (n, n), with lambda = `damping` times the mean eigenvalue of Q."""
    mean = jnp.maximum(jnp.diagonal(moment).mean(), TINY**0.5)
    return damped_inverse(moment, damping * mean)
