"""Line search for the strong Wolfe conditions as a compiled loop in JAX; see `line_search`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from submissions.common.methods_jax import choose

Loss = Callable[[Array], tuple[Array, Array]]
"""Maps a vector (n,) to the value and gradient (n,)."""
GROWTH, STRIDE = 10.0, 3.0
MARGIN = 0.1
"""Fraction of the interval at each end that trials avoid while it shrinks."""
NARROW = 1e-9


class Trial(NamedTuple):
    """A length along the direction, with the value, slope and gradient there."""

    length: Array
    value: Array
    slope: Array
    gradient: Array


Along = Callable[[Array], Trial]
"""Maps a length along a direction to the trial there."""


class Wolfe(NamedTuple):
    """The constants c1 (`decrease`) and c2 (`curvature`), and the maximum number of trials."""

    decrease: float
    curvature: float
    evaluations: int


class _Search(NamedTuple):
    """The two ends of the interval, and what comes next."""

    low: Trial
    """The best trial so far; while the interval grows, the last one."""
    high: Trial
    length: Array
    """The length to try next."""
    is_growing: Array
    is_done: Array
    num_trials: Array
    """Trials so far."""


def search(rule: Wolfe, at: Along, start: Trial, first: Array) -> tuple[Trial, Array]:
    """The trial that `line_search.Wolfe.search` would accept, and how many it took.

    Args:
        rule: the conditions.
        at: evaluates a trial of a length.
        start: the trial at length 0.
        first: the length to try first.
    """

    def advance(state: _Search) -> _Search:
        here = at(state.length)
        bound = start.value + rule.decrease * here.length * start.slope
        is_too_high = ~(here.value <= bound)
        is_flat = jnp.abs(here.slope) <= -rule.curvature * start.slope
        wider = _grow(state, here, is_too_high, is_flat)
        new = choose(state.is_growing, wider, _shrink(state, here, is_too_high, is_flat))
        return _with_next(new._replace(num_trials=state.num_trials + 1))

    no, none = jnp.zeros((), jnp.bool_), jnp.zeros((), jnp.int32)
    initial = _Search(start, start, first, ~no, no, none)
    end = jax.lax.while_loop(
        lambda state: (state.num_trials < rule.evaluations) & ~state.is_done, advance, initial
    )
    return end.low, end.num_trials


def trial(loss: Loss, point: Array, direction: Array, length: Array) -> Trial:
    """Evaluate value, slope and gradient at a length; an infinite value where it is none."""
    value, gradient = loss(point + length * direction)
    is_finite = jnp.isfinite(value)
    slope = jnp.where(is_finite, gradient @ direction, jnp.nan)
    return Trial(length, jnp.where(is_finite, value, jnp.inf), slope, gradient)


def _grow(state: _Search, here: Trial, is_too_high: Array, is_flat: Array) -> _Search:
    """The interval after a trial beyond it."""
    before = state.low
    rises = is_too_high | ((before.length > 0.0) & (here.value >= before.value))
    is_closed = rises | (here.slope >= 0.0)
    return state._replace(
        low=choose(rises, before, here),
        high=choose(rises, here, before),
        is_growing=~is_closed,
        is_done=~rises & is_flat,
    )


def _shrink(state: _Search, here: Trial, is_too_high: Array, is_flat: Array) -> _Search:
    """The interval after a trial within it."""
    rises = is_too_high | (here.value >= state.low.value)
    is_past = here.slope * (state.high.length - state.low.length) >= 0.0
    far = choose(is_past, state.low, state.high)
    return state._replace(
        low=choose(rises, state.low, here),
        high=choose(rises, here, far),
        is_done=~rises & is_flat,
    )


def _with_next(state: _Search) -> _Search:
    """The search with the length to try next; done if the interval has become a point."""
    low, high = state.low.length, state.high.length
    is_point = jnp.abs(high - low) <= NARROW * jnp.maximum(1.0, high)
    return state._replace(
        length=jnp.where(state.is_growing, _beyond(state), _within(state)),
        is_done=state.is_done | (~state.is_growing & is_point),
    )


def _beyond(state: _Search) -> Array:
    """A length beyond the last trial, which is `low`; `high` is the one before it."""
    here, reach = state.low.length, state.low.length - state.high.length
    guess = minimiser(state.high, state.low)
    # If the cubic has no minimum beyond this length, extrapolate by a fixed factor.
    guess = jnp.where(guess > here, guess, here + STRIDE * reach)
    return jnp.minimum(jnp.maximum(guess, here + MARGIN * reach), GROWTH * here)


def _within(state: _Search) -> Array:
    """A length within the interval, away from its ends, so that it is sure to shrink."""
    lengths = jnp.stack([state.low.length, state.high.length])
    least, most = lengths.min(), lengths.max()
    margin, guess = MARGIN * (most - least), minimiser(state.low, state.high)
    is_inside = (least < guess) & (guess < most)
    return jnp.where(is_inside, jnp.clip(guess, least + margin, most - margin), lengths.mean())


def minimiser(left: Trial, right: Trial) -> Array:
    """Minimiser of the cubic with the trials' values and slopes; the midpoint if there is none.

    Nocedal and Wright (2006), equation 3.59.
    """
    width = right.length - left.length
    first = left.slope + right.slope + 3.0 * (left.value - right.value) / width
    square = first**2 - left.slope * right.slope
    second = jnp.copysign(jnp.sqrt(square), width)
    below = right.slope - left.slope + 2.0 * second
    minimum = right.length - width * (right.slope + second - first) / below
    is_found = jnp.isfinite(left.value) & jnp.isfinite(right.value) & (square >= 0.0)
    middle = 0.5 * (left.length + right.length)
    return jnp.where(is_found & (below != 0.0), minimum, middle)
