"""Step rules around an optax transformation; `harness.submission.step_rules` defines them."""

from __future__ import annotations

from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from harness.frameworks.jax.wrapper import Update, Values
from harness.submission.step_rules import Progress, StepRules

TINY, LARGEST = 1.1754944e-38, 3.4028235e38
"""The smallest positive normal float32, and the largest."""


class RuledState(NamedTuple):
    """The optimizer's state, lookahead's slow weights, EMA-Nesterov's average (each empty if not in
    use) and the number of steps.
    """

    inner: optax.OptState
    slow: Values
    pace: Values
    steps: Array


class Place(NamedTuple):
    """`Progress` at one step as arrays, for a compiled step."""

    fraction: Array
    matrices: Array
    rest: Array

    @property
    def factor(self) -> Array:
        """The schedule's factor F_t: the larger of the two factors."""
        return jnp.maximum(self.matrices, self.rest)


class Numbers(NamedTuple):
    """A rule's inputs for one parameter: y_t, the optimizer's step u_t and the gradient."""

    start: Array
    step: Array
    gradient: Array


def place_of(progress: Progress) -> Place:
    """A `Progress` as a `Place` in float32."""
    return Place(*(jnp.float32(x) for x in (progress.fraction, progress.matrices, progress.rest)))


def looked_ahead(params: Values, state: RuledState, rules: StepRules, place: Place) -> Values:
    """The point y_t at which the gradient is taken."""
    if not rules.nesterov.beta:
        return params
    ahead = _ahead(rules, place)
    return {name: value + ahead * state.pace[name] for name, value in params.items()}


def with_rules(
    inner: optax.GradientTransformation, rules: StepRules, takes_factor: bool
) -> optax.GradientTransformationExtraArgs:
    """Wrap a transformation so that its steps follow the rules; `update` takes the step's `place`.

    The `params` passed to `update` are y_t, the result of `looked_ahead`.

    Args:
        inner: the optimizer's transformation.
        rules: the step rules that the hyperparameters set.
        takes_factor: whether the optimizer's `update` takes `factor`.
    """
    update = cast("Update", optax.with_extra_args_support(inner).update)

    def outer(
        gradients: Values, state: RuledState, params: Values, *, place: Place, **extra: object
    ) -> tuple[Values, RuledState]:
        if takes_factor:
            extra["factor"] = place.factor
        changes, inner_state = update(gradients, state.inner, params, **extra)
        scale = 1.0 if takes_factor else place.factor
        values = {}
        for name, change in changes.items():
            numbers = Numbers(params[name], -scale * change, gradients[name])
            values[name] = _next_value(name, numbers, rules, place)
        steps = state.steps + 1
        values, slow = _synchronise(values, state.slow, steps, rules)
        new = {name: value - params[name] for name, value in values.items()}
        pace = {
            name: _next_pace(value, new[name], rules, place) for name, value in state.pace.items()
        }
        return new, RuledState(inner_state, slow, pace, steps)

    def init(params: Values) -> RuledState:
        slow = {name: jnp.copy(value) for name, value in params.items()} if rules.every else {}
        pace = jax.tree.map(jnp.zeros_like, params) if rules.nesterov.beta else {}
        return RuledState(inner.init(params), slow, pace, jnp.zeros((), jnp.int32))

    return optax.GradientTransformationExtraArgs(
        cast("optax.TransformInitFn", init), cast("optax.TransformUpdateExtraArgsFn", outer)
    )


def _ahead(rules: StepRules, place: Place) -> Array:
    """beta F_t within EMA-Nesterov's part of the horizon, else 0."""
    nesterov = rules.nesterov
    is_within = (nesterov.start <= place.fraction) & (place.fraction < nesterov.end)
    return jnp.where(is_within, nesterov.beta * place.factor, 0.0)


def _next_pace(pace: Array, change: Array, rules: StepRules, place: Place) -> Array:
    """EMA-Nesterov's average p after w has moved from y_t by `change`."""
    displacement = change + _ahead(rules, place) * pace
    return pace + (1 - rules.nesterov.gamma) * (displacement - pace)


def _next_value(name: str, numbers: Numbers, rules: StepRules, place: Place) -> Array:
    """The next weights w_{t+1} of one parameter."""
    start, step, gradient = numbers
    factor, floor = (place.matrices if name in rules.matrices else place.rest), rules.floor_of(name)
    if rules.has_rest_cooldown:
        step = step * jnp.where(place.factor > 0, factor / jnp.maximum(place.factor, TINY), 1.0)
    if rules.cautious:
        mask = (step * gradient > 0).astype(step.dtype)
        step = step * mask * (mask.size / (mask.sum() + 1))
    if rules.is_held(name):
        norm = jnp.linalg.norm(start)
        target = start - step / _length(step) * (rules.hyperball * factor * norm)
        result: Array = target * (norm / _length(target))
        return result
    if floor:
        least = floor * factor * jnp.linalg.norm(start)
        # of a step of zeros the ratio may be infinite
        step = step * jnp.clip(least / _length(step), 1.0, LARGEST)
    if rules.decay:
        mask = (step * start >= 0).astype(step.dtype)
        step = step + mask * start * (rules.decay * factor)
    return start - step


def _length(values: Array) -> Array:
    """The norm, at least `TINY`, so that it can be divided by."""
    return jnp.maximum(jnp.linalg.norm(values), TINY)


def _synchronise(
    fast: Values, slow: Values, steps: Array, rules: StepRules
) -> tuple[Values, Values]:
    """The fast and the slow weights, equal after every k-th step."""
    if not rules.every:
        return fast, slow
    is_due = steps % rules.every == 0
    ahead = {name: slow[name] + rules.alpha * (value - slow[name]) for name, value in fast.items()}

    def where(new: Values, old: Values) -> Values:
        result: Values = jax.tree.map(lambda a, b: jnp.where(is_due, a, b), new, old)
        return result

    return where(ahead, fast), where(ahead, slow)
