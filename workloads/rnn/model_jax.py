"""The recurrent language model in JAX; `model.py` states it.

Memories c and every normalisation are float32 whatever the precision of the weights.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from workloads.functional_jax import NO_OFFSETS, Buffers, Forward, LayerArrays, Parameters, Pass
from workloads.rnn.model import EPSILON, RnnSizes, checked
from workloads.spec import Sizes

UNROLLED_STEPS = 4
"""Time steps in one turn of the compiled loop; more compile longer and gain nothing."""
State = tuple[Array, Array]
"""h in the weights' type and c in float32, (batch, hidden)."""


class Run(NamedTuple):
    """What every function of one forward pass needs."""

    sizes: RnnSizes
    parameters: Parameters
    offsets: LayerArrays
    layer_inputs: dict[str, Array]
    keys: dict[str, Array]

    def linear(self, name: str, values: Array) -> Array:
        """One linear layer (..., in) -> (..., out), shifted and recorded if it is tapped."""
        outputs = values @ self.parameters[f"{name}.weight"].T
        if f"{name}.bias" in self.parameters:
            outputs = outputs + self.parameters[f"{name}.bias"]
        if name not in self.offsets:
            return outputs
        self.layer_inputs[name] = values
        return outputs + self.offsets[name]

    def norm(self, name: str, values: Array) -> Array:
        """Layer normalisation over the last axis, in float32."""
        values = values.astype(jnp.float32)
        centred = values - values.mean(-1, keepdims=True)
        scale = jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + EPSILON)
        normed = centred * scale * self.parameters[f"{name}.weight"]
        bias = f"{name}.bias"
        return normed + self.parameters[bias] if bias in self.parameters else normed

    def dropped(self, place: str, values: Array) -> Array:
        """Drop a share of the values and enlarge the others, if the place has a key."""
        if place not in self.keys:
            return values
        share = 1.0 - self.sizes.dropout
        is_kept = jax.random.bernoulli(self.keys[place], share, values.shape)
        return jnp.where(is_kept, values / share, jnp.zeros_like(values))


def build(sizes: Sizes) -> Forward:
    """The model as a pure function; weights are (out, in), named as in `model.py`."""
    chosen = checked(sizes)

    def forward(
        parameters: Parameters,
        inputs: Array,
        *,
        offsets: LayerArrays = NO_OFFSETS,
        buffers: Buffers | None = None,
        key: Array | None = None,
    ) -> Pass:
        drops = buffers is None and key is not None and chosen.dropout > 0.0
        keys = _keys(chosen, key) if drops and key is not None else {}
        run = Run(chosen, parameters, offsets, {}, keys)
        return Pass(_logits(run, inputs), run.layer_inputs, {})

    return forward


def _keys(sizes: RnnSizes, key: Array) -> dict[str, Array]:
    places = ["embedding", *(name for name, _ in sizes.cells)]
    return dict(zip(places, jax.random.split(key, len(places)), strict=True))


def _logits(run: Run, tokens: Array) -> Array:
    embedding = run.parameters["embedding.weight"]
    values = run.dropped("embedding", embedding[tokens])
    for name, _ in run.sizes.cells:
        values = run.dropped(name, _cell(run, name, values))
    if run.sizes.has_projection:
        values = run.linear("projection", values)
    if run.sizes.tied:
        return values @ embedding.T + run.parameters["output.bias"]
    return run.linear("output", values)


def _cell(run: Run, name: str, values: Array) -> Array:
    """One LSTM layer over a sequence: (batch, time, in) -> (batch, time, hidden)."""
    entering, layer = run.linear(f"{name}.input", values), f"{name}.recurrent"
    if run.sizes.norm == "layer":
        entering = run.norm(f"{name}.input_norm", entering)
    is_tapped = layer in run.offsets
    shifts = jnp.broadcast_to(run.offsets[layer], entering.shape) if is_tapped else None
    weight = run.parameters[f"{layer}.weight"].T
    start = jnp.zeros((len(values), run.sizes.hidden), values.dtype)

    def step(state: State, entered: tuple[Array, Array | None]) -> tuple[State, Array]:
        around = state[0] @ weight
        if entered[1] is not None:
            around = around + entered[1]
        hidden, memory = _gated(run, name, entered[0], around, state[1])
        return (hidden.astype(values.dtype), memory), hidden.astype(values.dtype)

    by_time = jax.tree.map(lambda array: array.swapaxes(0, 1), (entering, shifts))
    first = (start, start.astype(jnp.float32))
    _, outputs = jax.lax.scan(step, first, by_time, unroll=UNROLLED_STEPS)
    if is_tapped:
        run.layer_inputs[layer] = jnp.concatenate([start[None], outputs[:-1]]).swapaxes(0, 1)
    return outputs.swapaxes(0, 1)


def _gated(run: Run, name: str, entering: Array, around: Array, memory: Array) -> State:
    """One time step from the two products, (batch, 4 hidden) each."""
    has_norm = run.sizes.norm == "layer"
    if has_norm:
        around = run.norm(f"{name}.recurrent_norm", around)
    gates = (entering + around).astype(jnp.float32)
    enter, keep, new, leave = jnp.split(gates, 4, -1)
    memory = jax.nn.sigmoid(keep) * memory + jax.nn.sigmoid(enter) * jnp.tanh(new)
    shown = run.norm(f"{name}.cell_norm", memory) if has_norm else memory
    return jax.nn.sigmoid(leave) * jnp.tanh(shown), memory
