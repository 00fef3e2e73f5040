"""Attention with two equivalent implementations in JAX: cuDNN's kernel and plain operations.

The kernel never materialises the scores, which are (batch, heads, time, time) in float32 otherwise,
but it can be differentiated only once, in reverse mode. So passes that only train or evaluate ask
for it, and those that a submission may transform freely get plain operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

_MAY_FUSE: ContextVar[bool] = ContextVar("may_fuse", default=False)


@contextmanager
def differentiable_once() -> Iterator[None]:
    """Allow kernels with a single derivative, in reverse mode, in what a `with` block traces."""
    token = _MAY_FUSE.set(True)
    try:
        yield
    finally:
        _MAY_FUSE.reset(token)


def causal_attention(query: Array, key: Array, value: Array) -> Array:
    """Attention of each position to those up to it; (batch, time, heads, head width) each."""
    return jax.nn.dot_product_attention(
        query, key, value, is_causal=True, implementation=_implementation(value)
    )


def _implementation(value: Array) -> Literal["cudnn"] | None:
    """cuDNN's kernel needs half precision and CUDA; None leaves the choice to jax."""
    is_possible = jax.default_backend() == "gpu" and value.dtype == jnp.bfloat16
    return "cudnn" if _MAY_FUSE.get() and is_possible else None
