import jax
import jax.numpy as jnp

from workloads.functional_jax import Forward, Pass
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    def forward(parameters, inputs, *, offsets=None, buffers=None, key=None) -> Pass:
        if buffers is None and key is not None:
            kept = jax.random.bernoulli(key, 0.5, inputs.shape)
            inputs = jnp.where(kept, 2.0 * inputs, 0.0)
        return Pass(inputs @ parameters["output.weight"].T, {}, {})

    return forward
