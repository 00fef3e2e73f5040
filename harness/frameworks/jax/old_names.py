"""Removed jax names, restored for older submissions, only in the worker that runs them."""

from __future__ import annotations

from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def enter_old_names() -> None:
    """Restore `jax.tree_map` (until 0.4.25) and the old arguments of `jnp.clip` (until 0.6)."""
    vars(jax).setdefault("tree_map", jax.tree.map)
    vars(jnp)["clip"] = _clip


_clip_now = jnp.clip


@wraps(_clip_now)
def _clip(
    *arguments: Any, a: Any = None, a_min: Any = None, a_max: Any = None, **bounds: Any
) -> Array:
    """`jnp.clip` that also accepts the argument names `a`, `a_min` and `a_max`."""
    old = {"min": a_min, "max": a_max}
    bounds |= {name: bound for name, bound in old.items() if bound is not None}
    array = arguments if a is None else (a, *arguments)
    return _clip_now(*array, **bounds)
