"""optax transformations whose functions say what their states and arrays are.

optax types parameters, updates and states as any tree. A transformation of this kind is given
arrays by name, and as its state only what its own `init` and `update` have returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import optax

Arrays = dict[str, jax.Array]
"""Parameters, gradients or steps by name."""
Factor = jax.Array | float
"""The schedule's factor on the learning rate."""
StateT = TypeVar("StateT")


def stateful(
    init: Callable[[Arrays], StateT],
    update: Callable[[Arrays, StateT, Arrays], tuple[Arrays, StateT]],
) -> optax.GradientTransformation:
    """A transformation with a state.

    Args:
        init: makes the state from the parameters.
        update: maps updates, state and parameters to new updates and the next state.
    """

    def begin(params: Any) -> Any:
        return init(params)

    def move(updates: Any, state: Any, params: Any = None) -> Any:
        return update(updates, state, params)

    return optax.GradientTransformation(begin, move)


def stateful_with_factor(
    init: Callable[[Arrays], StateT],
    update: Callable[[Arrays, StateT, Arrays, Factor], tuple[Arrays, StateT]],
) -> optax.GradientTransformationExtraArgs:
    """The same of an update that also takes the schedule's factor, for `Built.takes_factor`."""

    def begin(params: Any) -> Any:
        return init(params)

    def move(
        updates: Any, state: Any, params: Any = None, *, factor: Factor = 1.0, **extra: object
    ) -> Any:
        del extra  # only line searches use it
        return update(updates, state, params, factor)

    return optax.GradientTransformationExtraArgs(begin, move)


def stateless(step: Callable[[Arrays], Arrays]) -> optax.GradientTransformation:
    """A transformation of updates alone."""

    def move(updates: Any, params: Any) -> Any:
        del params
        return step(updates)

    return optax.stateless(move)
