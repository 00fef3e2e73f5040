"""Rules for steps around an optax transformation; `harness.submission.step_rules` states them."""

from __future__ import annotations

from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from harness.frameworks.jax.wrapper import Update, Values
from harness.submission.step_rules import StepRules

TINY = 1.1754944e-38
"""The smallest normal float32."""


class RuledState(NamedTuple):
    """The optimizer's state, lookahead's slow weights (none without it) and the steps made."""

    inner: optax.OptState
    slow: Values
    steps: Array


def with_rules(
    inner: optax.GradientTransformation, rules: StepRules, takes_factor: bool
) -> optax.GradientTransformationExtraArgs:
    """The transformation whose steps follow the rules; its `update` takes the schedule's `factor`.

    Args:
        inner: the optimizer.
        rules: those of the point.
        takes_factor: whether the optimizer's `update` takes `factor` too.
    """
    update = cast("Update", optax.with_extra_args_support(inner).update)

    def outer(
        gradients: Values,
        state: RuledState,
        params: Values,
        *,
        factor: Array,
        **extra: object,
    ) -> tuple[Values, RuledState]:
        if takes_factor:
            extra["factor"] = factor
        changes, inner_state = update(gradients, state.inner, params, **extra)
        scale = 1.0 if takes_factor else factor
        moved = {}
        for name, change in changes.items():
            numbers = (params[name], -scale * change, gradients[name])
            is_held = name in rules.held
            moved[name] = _moved(*numbers, rules, factor=factor, is_held=is_held)
        steps = state.steps + 1
        moved, slow = _looked_ahead(moved, state.slow, steps, rules)
        new = {name: value - params[name] for name, value in moved.items()}
        return new, RuledState(inner_state, slow, steps)

    def init(params: Values) -> RuledState:
        slow = {name: jnp.copy(value) for name, value in params.items()} if rules.every else {}
        return RuledState(inner.init(params), slow, jnp.zeros((), jnp.int32))

    return optax.GradientTransformationExtraArgs(
        cast("optax.TransformInitFn", init), cast("optax.TransformUpdateExtraArgsFn", outer)
    )


def _moved(
    start: Array, step: Array, gradient: Array, rules: StepRules, *, factor: Array, is_held: bool
) -> Array:
    """w_{t+1} from w_t and the optimizer's step u_t."""
    if rules.cautious:
        mask = (step * gradient > 0).astype(step.dtype)
        step = step * mask * (mask.size / (mask.sum() + 1))
    if is_held:
        norm = jnp.linalg.norm(start)
        length = jnp.maximum(jnp.linalg.norm(step), TINY)
        moved = start - step * (rules.hyperball * factor * norm / length)
        held: Array = moved * (norm / jnp.maximum(jnp.linalg.norm(moved), TINY))
        return held
    if rules.decay:
        mask = (step * start >= 0).astype(step.dtype)
        step = step + mask * start * (rules.decay * factor)
    return start - step


def _looked_ahead(
    moved: Values, slow: Values, steps: Array, rules: StepRules
) -> tuple[Values, Values]:
    """The fast and the slow weights, equal after every k-th step."""
    if not rules.every:
        return moved, slow
    is_due = steps % rules.every == 0
    ahead = {name: slow[name] + rules.alpha * (value - slow[name]) for name, value in moved.items()}

    def where(new: Values, old: Values) -> Values:
        result: Values = jax.tree.map(lambda a, b: jnp.where(is_due, a, b), new, old)
        return result

    return where(ahead, moved), where(ahead, slow)
