import jax
import jax.numpy as jnp
from jax import Array

from workloads.functional_jax import NO_OFFSETS, Buffers, Forward, LayerArrays, Parameters, Pass
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    def forward(
        parameters: Parameters,
        inputs: Array,
        *,
        offsets: LayerArrays = NO_OFFSETS,
        buffers: Buffers | None = None,
        key: Array | None = None,
    ) -> Pass:
        if buffers is None and key is not None:
            mask = jax.random.bernoulli(key, 0.5, inputs.shape)
            inputs = jnp.where(mask, 2.0 * inputs, 0.0)
        return Pass(inputs @ parameters["output.weight"].T, {}, {})

    return forward
