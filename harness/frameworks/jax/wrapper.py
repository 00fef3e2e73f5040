"""Clipping, parametrisation and averages around any optax transformation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import jax
import jax.numpy as jnp
import optax
from jax import Array

from harness.core.errors import HarnessError
from harness.submission.interface import Hyperparameters, Problem
from harness.submission.parametrisation import Scaling, scalings

Values = dict[str, Array]
Update = Callable[..., tuple[Values, optax.OptState]]
EvalParameters = Callable[[optax.OptState, Values], Values]
"""Maps a transformation's state and the live parameters to the evaluation parameters."""


class JaxArithmetic:
    """Implements `harness.submission.averages.Arithmetic`; each operation is compiled once."""

    def copy(self, values: Mapping[str, Array]) -> Values:
        """Copies, so that later steps that donate their arguments' memory do not change them."""
        return {name: jnp.copy(value) for name, value in values.items()}

    def towards(self, average: Values, values: Mapping[str, Array], weight: float) -> Values:
        """average + weight (values - average), new arrays."""
        result: Values = _move(average, dict(values), average, weight)
        return result

    def shift(
        self, average: Values, values: Mapping[str, Array], start: Values, weight: float
    ) -> Values:
        """average + weight (values - start), new arrays."""
        result: Values = _move(average, dict(values), start, weight)
        return result


@jax.jit
def _move(average: Values, values: Values, start: Values, weight: float) -> Values:
    result: Values = jax.tree.map(lambda a, v, s: a + weight * (v - s), average, values, start)
    return result


def scale_start(problem: Problem[Array], by_name: Mapping[str, Scaling]) -> None:
    """Multiply the initial parameters by a parametrisation's factors."""
    for name, scaling in by_name.items():
        problem.parameters[name] = scaling.initial * problem.parameters[name]


def prepare_class(problem: Problem[Array], hyperparameters: Hyperparameters) -> None:
    """Scale the initial parameters for an author's class as the hyperparameters ask."""
    scale_start(problem, scalings(problem.specs, hyperparameters))


class OptimizerWrapper:
    """Adds clipping and parametrisation to an optax transformation; its state is unchanged.

    Args:
        problem: the problem, whose initial parameters W are scaled by the parametrisation.
        hyperparameters: `clip`, the largest global norm of dL/dW (0 for none), and
            `parametrisation`.
    """

    def __init__(self, problem: Problem[Array], hyperparameters: Hyperparameters) -> None:
        self._clip = float(hyperparameters.get("clip", 0.0))
        if self._clip < 0.0:
            raise HarnessError(f"clip is {self._clip}", "allowed: 0 (off) or a largest norm")
        by_name = scalings(problem.specs, hyperparameters)
        self._multiplier = {name: scaling.multiplier for name, scaling in by_name.items()}
        scale_start(problem, by_name)

    def __call__(self, inner: optax.GradientTransformation) -> optax.GradientTransformation:
        """The transformation of W that applies `inner` in the coordinates w, where W = A w."""
        if not self._clip and not self._multiplier:
            return inner
        # Optax knows trees of any kind; ours are dictionaries.
        update = cast("Update", optax.with_extra_args_support(inner).update)

        def outer(
            updates: Values, state: optax.OptState, params: Values | None = None, **extra: object
        ) -> tuple[Values, optax.OptState]:
            updates = self._times(self._clip_gradients(updates))
            inside = params and self.inward(params)
            updates, state = update(updates, state, inside, **self._translate(extra))
            return self._times(updates), state

        return optax.GradientTransformationExtraArgs(
            lambda w: inner.init(self.inward(cast("Values", w))),
            cast("optax.TransformUpdateExtraArgsFn", outer),
        )

    def eval_parameters(
        self, evaluate: EvalParameters, state: optax.OptState, parameters: Values
    ) -> Values:
        """A transformation's evaluation parameters, in terms of W."""
        return self._times(evaluate(state, self.inward(parameters)))

    def inward(self, values: Values) -> Values:
        """The coordinates w = A^-1 W."""
        if not self._multiplier:
            return values
        return {name: value / self._multiplier[name] for name, value in values.items()}

    def _times(self, values: Values) -> Values:
        if not self._multiplier:
            return values
        return {name: self._multiplier[name] * value for name, value in values.items()}

    def _translate(self, extra: Mapping[str, object]) -> dict[str, object]:
        """The extra arguments of line searches and of estimates of the Hessian, in terms of w."""
        arguments = dict(extra)
        if "grad" in extra:
            arguments["grad"] = self._times(cast("Values", extra["grad"]))
        for name in ("value_fn", "obj_fn"):
            if name in extra:
                arguments[name] = self._inside(cast("Callable[[Values], Array]", extra[name]))
        return arguments

    def _inside(self, function: Callable[[Values], Array]) -> Callable[[Values], Array]:
        """A function of W as one of w."""
        return lambda values: function(self._times(values))

    def _clip_gradients(self, gradients: Values) -> Values:
        if not self._clip:
            return gradients
        squares = [jnp.vdot(gradient, gradient) for gradient in jax.tree.leaves(gradients)]
        norm = jnp.sqrt(jnp.stack(squares).sum())
        factor = jnp.minimum(1.0, self._clip / (norm + 1e-6))
        return {name: factor * gradient for name, gradient in gradients.items()}
