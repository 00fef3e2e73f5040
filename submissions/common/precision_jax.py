"""The range of gradients in JAX, as `precision` has it in torch.

Adam's relatives, which torch does not bound, need it here too: torch squares (1 - beta2)^(1/2) g,
which is finite to 5e20 at beta2 = 0.999, optax squares g, which is finite to 1.8e19. Their steps do
not depend on the size of a gradient that is that much longer than all others.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax


def bound_gradient(gradient: jax.Array, power: int = 4) -> jax.Array:
    """Scale a finite gradient, or momentum, down so that sums of its powers do not overflow.

    Its largest entry becomes at most 4e6, or with `power` 2 at most 2e16; smaller gradients are
    returned as they are. One that is not finite becomes NaN and shows up.

    Args:
        gradient: of any shape.
        power: the highest power taken: 2 of an entry's square, 4 of the norm of a product.
    """
    dtype = jnp.promote_types(gradient.dtype, jnp.float32)
    limit = float(np.finfo(dtype).max) ** (1 / power) / 1e3
    largest = jnp.abs(gradient).max(initial=0.0).astype(dtype)
    bounded: jax.Array = gradient * (limit / jnp.maximum(largest, limit)).astype(gradient.dtype)
    return bounded


def bound_gradients(power: int = 4) -> optax.GradientTransformation:
    """`bound_gradient` of each array, as a stateless transformation."""
    return optax.stateless_with_tree_map(lambda g, _: bound_gradient(jnp.asarray(g), power))
