"""The recurrent language model in JAX; see `model.py` for the definition.

Cell states c and all normalisations are float32 for any weight precision.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from workloads.blocks_jax import normalise
from workloads.functional_jax import Call, Forward, look_up, pure, with_bias
from workloads.rnn.model import EPSILON, RnnSizes, validate
from workloads.spec import Sizes

UNROLLED_STEPS = 4
"""Time steps per iteration of the compiled loop; more compile longer without running faster."""
State = tuple[Array, Array]
"""h in the weights' dtype and c in float32, (batch, hidden)."""


class Run(NamedTuple):
    """Context shared by the functions of one forward pass."""

    sizes: RnnSizes
    call: Call
    keys: dict[str, Array]

    def norm(self, name: str, values: Array) -> Array:
        """Layer normalisation over the last axis, in float32."""
        parameters, values = self.call.parameters, values.astype(jnp.float32)
        centred_values = values - values.mean(-1, keepdims=True)
        scale = jax.lax.rsqrt(jnp.square(centred_values).mean(-1, keepdims=True) + EPSILON)
        result = centred_values * scale * parameters[f"{name}.weight"]
        bias = f"{name}.bias"
        return result + parameters[bias] if bias in parameters else result

    def drop_out(self, place: str, values: Array) -> Array:
        """Apply dropout if `place` has a key."""
        if place not in self.keys:
            return values
        fraction = 1.0 - self.sizes.dropout
        is_kept = jax.random.bernoulli(self.keys[place], fraction, values.shape)
        return jnp.where(is_kept, values / fraction, jnp.zeros_like(values))


def build(sizes: Sizes) -> Forward:
    """The model as a pure function; weights are (out, in), named as in `model.py`."""
    network = validate(sizes)
    return pure(lambda call: call.gives(_logits(Run(network, call, _keys(network, call)))))


def _keys(sizes: RnnSizes, call: Call) -> dict[str, Array]:
    """A random key for each application of dropout."""
    if call.buffers is not None or call.key is None or sizes.dropout == 0.0:
        return {}
    places = ["embedding", *(name for name, _ in sizes.cells)]
    return dict(zip(places, jax.random.split(call.key, len(places)), strict=True))


def _logits(run: Run) -> Array:
    call, embedding = run.call, run.call.parameters["embedding.weight"]
    values = run.drop_out("embedding", look_up(embedding, call.inputs).astype(embedding.dtype))
    for index in range(run.sizes.depth):
        values = _layer(run, index, values)
    if run.sizes.has_projection:
        values = call.linear("projection", values)
    if run.sizes.is_tied:
        values = values.astype(embedding.dtype)
        return with_bias(values @ embedding.T, call.parameters["output.bias"])
    return call.linear("output", values)


def _layer(run: Run, index: int, values: Array) -> Array:
    """A cell with the norm, the dropout and the residual connection around it."""
    name, width = run.sizes.cells[index]
    hidden = _cell(run, name, values)
    if run.sizes.between != "none":
        gain = run.call.parameters[f"between.{index}.weight"]
        hidden = normalise(hidden, gain, run.sizes.between, EPSILON)
    hidden = run.drop_out(name, hidden)
    return values + hidden if run.sizes.is_residual_at(width) else hidden


def _cell(run: Run, name: str, values: Array) -> Array:
    """Apply one LSTM layer to a sequence: (batch, time, in) -> (batch, time, hidden)."""
    call, layer = run.call, f"{name}.recurrent"
    entering, weight = call.linear(f"{name}.input", values), call.parameters[f"{layer}.weight"].T
    if run.sizes.norm == "layer":
        outputs = _normed_recurrence(run, name, entering, weight)
    else:
        entering = entering + call.offsets.get(layer, 0.0)
        outputs = recurrence(_by_time(entering), weight)
    if layer in call.offsets:
        call.layer_inputs[layer] = _by_time(_delay(outputs))
    return _by_time(outputs)


def _by_time(values: Array) -> Array:
    """Swap the batch and time axes."""
    return values.swapaxes(0, 1)


def _delay(values: Array) -> Array:
    """Shift (time, ...) one step later, starting with zeros."""
    return jnp.concatenate([jnp.zeros_like(values[:1]), values[:-1]])


@jax.custom_jvp
def recurrence(entering: Array, weight: Array) -> Array:
    """Hidden states (time, batch, hidden) of a plain LSTM that starts at zero.

    `entering` (time, batch, 4 hidden) is the input's part of the gates, `weight` is
    (hidden, 4 hidden). The derivative is hand-written as a loop linear in the tangents: JAX would
    accumulate the weight's gradient step by step inside the loop, which costs more than everything
    else. Higher derivatives are left to JAX.
    """
    return _course(entering, weight)[0]


@recurrence.defjvp
def _tangent(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    weight = primals[1]
    outputs, gates, memories = _course(*primals)
    enter, keep, new, leave = jnp.split(gates, 4, -1)
    cell = jnp.tanh(memories)
    slopes = [
        new * enter * (1.0 - enter),
        _delay(memories) * keep * (1.0 - keep),
        enter * (1.0 - jnp.square(new)),
        cell * leave * (1.0 - leave),
    ]
    slope_out = leave * (1.0 - jnp.square(cell))
    driving = tangents[0] + _delay(outputs) @ tangents[1]

    def step(state: State, at: tuple[Array, Array, Array, Array]) -> tuple[State, Array]:
        drive, slope, decay, slope_out = at
        change = slope * (drive + state[0] @ weight).astype(jnp.float32)
        d_enter, d_keep, d_new, d_leave = jnp.split(change, 4, -1)
        memory = decay * state[1] + d_enter + d_keep + d_new
        hidden = (slope_out * memory + d_leave).astype(drive.dtype)
        return (hidden, memory), hidden

    steps = (driving, jnp.concatenate(slopes, -1), keep, slope_out)
    return outputs, jax.lax.scan(step, _rest(driving), steps, unroll=UNROLLED_STEPS)[1]


def _course(entering: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Hidden states, gates after their nonlinearities and cell states at every time step."""

    def step(state: State, inputs: Array) -> tuple[State, tuple[Array, Array, Array]]:
        sums = (inputs + state[0] @ weight).astype(jnp.float32)
        enter, keep, new, leave = jnp.split(sums, 4, -1)
        gates = [jax.nn.sigmoid(enter), jax.nn.sigmoid(keep), jnp.tanh(new)]
        memory = gates[1] * state[1] + gates[0] * gates[2]
        gates.append(jax.nn.sigmoid(leave))
        hidden = (gates[3] * jnp.tanh(memory)).astype(inputs.dtype)
        return (hidden, memory), (hidden, jnp.concatenate(gates, -1), memory)

    course: tuple[Array, Array, Array] = jax.lax.scan(
        step, _rest(entering), entering, unroll=UNROLLED_STEPS
    )[1]
    return course


def _rest(entering: Array) -> State:
    """The initial state of zeros, for inputs (time, batch, 4 hidden)."""
    start = jnp.zeros((entering.shape[1], entering.shape[2] // 4), entering.dtype)
    return start, start.astype(jnp.float32)


def _normed_recurrence(run: Run, name: str, entering: Array, weight: Array) -> Array:
    """Hidden states (time, batch, hidden) of an LSTM with three layer normalisations.

    Here `entering` is (batch, time, 4 hidden), the layout of captured offsets.
    """
    offset = run.call.offsets.get(f"{name}.recurrent")
    shifts = None if offset is None else _by_time(jnp.broadcast_to(offset, entering.shape))
    entering = _by_time(run.norm(f"{name}.input_norm", entering))

    def step(state: State, inputs: tuple[Array, Array | None]) -> tuple[State, Array]:
        around = state[0] @ weight
        if inputs[1] is not None:
            around = around + inputs[1]
        gates = inputs[0] + run.norm(f"{name}.recurrent_norm", around)
        enter, keep, new, leave = jnp.split(gates.astype(jnp.float32), 4, -1)
        memory = jax.nn.sigmoid(keep) * state[1] + jax.nn.sigmoid(enter) * jnp.tanh(new)
        cell = run.norm(f"{name}.cell_norm", memory)
        hidden = (jax.nn.sigmoid(leave) * jnp.tanh(cell)).astype(weight.dtype)
        return (hidden, memory), hidden

    start = _rest(entering.astype(weight.dtype))
    return jax.lax.scan(step, start, (entering, shifts), unroll=UNROLLED_STEPS)[1]
