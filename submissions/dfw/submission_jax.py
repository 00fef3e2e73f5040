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
from submissions.common.compiled_methods_jax import Carry, CompiledMethod, Now, traced_passes
from submissions.common.factored_layers import preconditionable
from submissions.common.kronecker_factors_jax import accumulated, damped_inverse, uses
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
        chosen = preconditionable(problem.layers, problem.specs, int(point["max_dim"]))
        if not chosen:
            raise HarnessError(
                f"no layer has both sides within max_dim = {point['max_dim']}",
                "raise max_dim, or train this workload with another submission",
            )
        layers = [Layer(spec, problem.specs[spec.weight].shape) for spec in chosen]
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
        loss, gradients, carry = self._observed(carry, self.body, batches[0], first)
        rest, rest_state = self.rest.moved(
            carry.parameters, gradients, carry.state["rest"], now.factor
        )
        carry = self._updated(carry, self.body, gradients, now)
        carry = carry._replace(
            parameters={**carry.parameters, **rest}, state={**carry.state, "rest": rest_state}
        )
        if self.head:
            _, gradients, carry = self._observed(carry, self.head, batches[1], second)
            carry = self._updated(carry, self.head, gradients, now)
        return carry, loss

    def _observed(
        self, carry: Carry, layers: Sequence[Layer], batch: Batch[Array], now: Now
    ) -> tuple[Array, Values, Carry]:
        """One batch's loss, clipped gradients, and the layers with its inputs' moments.

        The head's gradients are clipped by their own norm, the body's by that of all.
        """
        captured = tuple(layer.spec.name for layer in layers)
        with traced_passes(self.problem, carry.buffers, now.key):
            evaluation, gradients, captures = self.problem.captured(
                carry.parameters, batch, names=captured
            )
            buffers = self.problem.buffers
        kept = dict(carry.state["layers"])
        beta = jnp.minimum(self.point["factor_beta"], now.number / (now.number + 1))
        for layer in layers:
            name = layer.spec.name
            inputs = uses(layer.spec, layer.weight, captures[name]).inputs
            rows = inputs.reshape(-1, inputs.shape[-1])
            moment = accumulated(kept[name]["inputs"], rows / len(rows) ** 0.5, beta)
            kept[name] = {**kept[name], "inputs": moment}
        if layers is self.head:
            gradients = {name: gradients[name] for layer in layers for name in layer.names}
        state = {**carry.state, "layers": kept}
        return evaluation.loss, self.clipped(gradients), Carry(carry.parameters, state, buffers)

    def _updated(self, carry: Carry, layers: Sequence[Layer], gradients: Values, now: Now) -> Carry:
        """The carry after a step of some layers, whose inverses are refreshed first if due."""
        rate, point = self.point["learning_rate"] * now.factor, self.point
        parameters, kept = dict(carry.parameters), dict(carry.state["layers"])
        for place, layer in enumerate(layers):
            name = layer.spec.name
            own, period = kept[name], int(point["refresh_every"])
            due = is_due(place, len(layers), jnp.asarray(now.number), period) | (now.number == 0)
            inverse = jax.lax.cond(
                due,
                lambda own: _whitener(own["inputs"], point["damping"]),
                lambda own: own["inputs_inverse"],
                own,
            )
            step = layer.matrix(gradients) @ inverse
            size = jnp.linalg.norm(parameters[layer.spec.weight])
            shrink = point["trust"] * size / jnp.maximum(rate * jnp.linalg.norm(step), 1e-30)
            step = step * jnp.where(size > 0.0, jnp.minimum(shrink, 1.0), 1.0)
            momentum = point["momentum"] * own["momentum"] + step
            parameters |= layer.moved(parameters, momentum, rate, point["weight_decay"])
            kept[name] = {**own, "inputs_inverse": inverse, "momentum": momentum}
        return Carry(parameters, {**carry.state, "layers": kept}, carry.buffers)


def _start(layer: Layer) -> State:
    _, width = layer.matrix_shape
    zeros = jnp.zeros((width, width))
    return {"inputs": zeros, "inputs_inverse": zeros, "momentum": jnp.zeros(layer.matrix_shape)}


def _whitener(moment: Array, damping: float) -> Array:
    """(Q + lambda I)^-1, (n, n), with lambda = `damping` times the mean eigenvalue of Q."""
    mean = jnp.maximum(jnp.diagonal(moment).mean(), TINY**0.5)
    return damped_inverse(moment, damping * mean)
