"""Conjugate gradients as a compiled loop in JAX; `conjugate_gradients` states the recurrence."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from submissions.common.methods_jax import choose
from submissions.common.products_jax import Product

STORE_RATIO = 1.3
"""Iterates are stored at iteration counts growing by this factor (Martens, 2010, section 4.6)."""
MARTENS_TOLERANCE = 5e-4


class Progress(NamedTuple):
    """Progress of a search."""

    residual: Array
    """Euclidean norm of b - A x."""
    values: Array
    """q(x) at the start and after each iteration, (iterations + 1,)."""
    iterations: Array
    """How many there were so far; the values behind that are meaningless."""


Stop = Callable[[Progress], Array]


class Solution(NamedTuple):
    """The last iterate, and some earlier ones."""

    x: Array
    value: Array
    """q(x)."""
    iterations: Array
    """Number of iterations, each one product with A."""
    iterates: Array
    """Stored iterates in order, (places, n); the last of them is x."""
    iterate_values: Array
    """Their q, (places,)."""
    num_stored: Array
    """How many of them there are, at least one; the rows behind that are meaningless."""


class _Search(NamedTuple):
    """The vectors of the recurrence, and what is kept of it."""

    x: Array
    residual: Array
    direction: Array
    size: Array
    """r^T z."""
    progress: Progress
    iterates: Array
    iterate_values: Array
    has_ended: Array
    """Whether a direction of curvature that is not positive has been met."""


def residual_below(tolerance: Array) -> Stop:
    """Stop once the residual norm is at most `tolerance`."""
    return lambda progress: progress.residual <= tolerance


def relative_progress(tolerance: float = MARTENS_TOLERANCE) -> Stop:
    """Stop once q has stopped decreasing, as `conjugate_gradients.relative_progress`."""

    def stop(progress: Progress) -> Array:
        count = progress.iterations
        back = jnp.maximum(10, jnp.ceil(0.1 * count).astype(jnp.int32))
        last, earlier = progress.values[count], progress.values[jnp.maximum(count - back, 0)]
        return (count > back) & (last < 0.0) & ((last - earlier) / last < back * tolerance)

    return stop


def conjugate_gradients(
    product: Product,
    b: Array,
    start: Array | None = None,
    *,
    stop: Stop,
    iterations: int,
    preconditioner: Product | None = None,
    keep: bool = False,
) -> Solution:
    """Solve A x = b; arguments as for `conjugate_gradients.conjugate_gradients`."""
    precondition = preconditioner or (lambda residual: residual)
    places = _places(iterations) if keep else [0] * (iterations + 1)

    def is_going_on(search: _Search) -> Array:
        progress = search.progress
        is_open = (progress.iterations < iterations) & (progress.residual > 0.0)
        return is_open & ~stop(progress) & ~search.has_ended

    def advance(search: _Search) -> _Search:
        image = product(search.direction)
        curvature = search.direction @ image
        alpha = search.size / curvature
        x, residual = search.x + alpha * search.direction, search.residual - alpha * image
        z = precondition(residual)
        size, count = residual @ z, search.progress.iterations + 1
        value, place = _value(x, residual, b), jnp.asarray(places)[count]
        new = _Search(
            x,
            residual,
            size / search.size * search.direction + z,
            size,
            Progress(jnp.linalg.norm(residual), search.progress.values.at[count].set(value), count),
            search.iterates.at[place].set(x),
            search.iterate_values.at[place].set(value),
            search.has_ended,
        )
        is_ascent = ~(curvature > 0.0)
        return choose(is_ascent, search._replace(has_ended=is_ascent), new)

    x = jnp.zeros_like(b) if start is None else start
    residual = b if start is None else b - product(x)
    initial = _begin(x, residual, precondition(residual), b, (iterations + 1, places[-1] + 1))
    search = jax.lax.while_loop(is_going_on, advance, initial)
    count = search.progress.iterations
    return Solution(
        search.x,
        search.progress.values[count],
        count,
        search.iterates,
        search.iterate_values,
        jnp.asarray(places)[count] + 1,
    )


def _begin(x: Array, residual: Array, z: Array, b: Array, sizes: tuple[int, int]) -> _Search:
    """A search before its first iteration, with room for so many values and iterates."""
    value = _value(x, residual, b)
    values = jnp.zeros(sizes[0], b.dtype).at[0].set(value)
    return _Search(
        x,
        residual,
        z,
        residual @ z,
        Progress(jnp.linalg.norm(residual), values, jnp.zeros((), jnp.int32)),
        jnp.zeros((sizes[1], len(b)), b.dtype).at[0].set(x),
        jnp.zeros(sizes[1], b.dtype).at[0].set(value),
        jnp.zeros((), jnp.bool_),
    )


def _value(x: Array, residual: Array, b: Array) -> Array:
    """q(x) = -x^T (r + b) / 2."""
    return -0.5 * (x @ (residual + b))


def _places(iterations: int) -> list[int]:
    """The row of each iterate, from the start's on: one that is not to stay is overwritten."""
    places, place, next_store = [0], 0, 1
    for count in range(1, iterations + 1):
        places.append(place)
        if count == next_store:
            place, next_store = place + 1, max(count + 1, math.ceil(next_store * STORE_RATIO))
    return places
