"""The transformer in JAX; see `model.py` for the definition.

The residual stream and all normalisations are float32 for any weight precision, as under torch's
autocast.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from workloads.blocks_jax import ACTIVATIONS, normalise
from workloads.functional_jax import Call, Forward, look_up, pure
from workloads.fused_jax import causal_attention
from workloads.lm.model import EPSILON, GATES, ROTARY_BASE, LmSizes, validate
from workloads.spec import Sizes


class Run(NamedTuple):
    """Context shared by the functions of one forward pass."""

    sizes: LmSizes
    call: Call

    def norm(self, name: str, values: Array, kind: str) -> Array:
        """A norm by its name, over the last axis, in float32."""
        return normalise(values, self.call.parameters[f"{name}.weight"], kind, EPSILON)


def build(sizes: Sizes) -> Forward:
    """The model as a pure function; weights are (out, in), named as in `model.py`."""
    network = validate(sizes)
    return pure(lambda call: call.gives(_logits(Run(network, call))))


def _logits(run: Run) -> Array:
    sizes, embedding = run.sizes, run.call.parameters["embedding.weight"]
    values = look_up(embedding, run.call.inputs) * math.sqrt(sizes.width)
    for block in sizes.blocks:
        values = _block(run, block, values)
    if sizes.has_final_norm:
        values = run.norm("final_norm", values, sizes.norm)
    if sizes.is_tied:
        return values.astype(embedding.dtype) @ embedding.T
    return run.call.linear("output", values)


def _block(run: Run, block: str, values: Array) -> Array:
    kind = run.sizes.norm
    attention_norm, mlp_norm = f"{block}.attention_norm", f"{block}.mlp_norm"
    if run.sizes.placement == "post":
        values = run.norm(attention_norm, values + _attend(run, block, values), kind)
        return run.norm(mlp_norm, values + _transform(run, block, values), kind)
    entering = run.norm(attention_norm, values, kind)
    if run.sizes.placement == "parallel":
        return values + _attend(run, block, entering) + _transform(run, block, entering)
    values = values + _attend(run, block, entering)
    return values + _transform(run, block, run.norm(mlp_norm, values, kind))


def _attend(run: Run, block: str, values: Array) -> Array:
    heads = (*values.shape[:2], run.sizes.heads, run.sizes.head_width)
    query, key, value = (
        run.call.linear(f"{block}.{name}", values).reshape(heads)
        for name in ("query", "key", "value")
    )
    if run.sizes.query_norm:
        query = run.norm(f"{block}.query_norm", query, "rms")
        key = run.norm(f"{block}.key_norm", key, "rms")
    query, key = _rotate(query).astype(value.dtype), _rotate(key).astype(value.dtype)
    context = causal_attention(query, key, value)
    return run.call.linear(f"{block}.output", context.reshape(values.shape))


def _transform(run: Run, block: str, values: Array) -> Array:
    hidden, name = run.call.linear(f"{block}.up", values), run.sizes.activation
    if run.sizes.is_gated:
        hidden = ACTIVATIONS[GATES[name]](run.call.linear(f"{block}.gate", values)) * hidden
    else:
        hidden = ACTIVATIONS[name](hidden)
    return run.call.linear(f"{block}.down", hidden)


def _rotate(values: Array) -> Array:
    """Apply rotary embeddings to queries or keys (batch, time, heads, head width)."""
    time, width = values.shape[1], values.shape[-1]
    rates = ROTARY_BASE ** (-2.0 * jnp.arange(width // 2, dtype=jnp.float32) / width)
    angles = jnp.arange(time, dtype=jnp.float32)[:, None] * rates
    cosines, sines = jnp.cos(angles)[:, None], jnp.sin(angles)[:, None]
    first, second = jnp.split(values, 2, -1)
    return jnp.concatenate([first * cosines - second * sines, second * cosines + first * sines], -1)
