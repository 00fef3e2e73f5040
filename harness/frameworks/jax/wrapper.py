"""What wraps any optax transformation: clipping, parametrisation, averages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from harness.core.errors import HarnessError
from harness.frameworks.jax.problem import JaxProblem
from harness.submission.averages import Values
from harness.submission.interface import Hyperparameters
from harness.submission.parametrisation import Scaling, scalings

EvalParameters = Callable[[Any, Any], Any]
"""From a transformation's state and the live parameters to those to be evaluated."""


class JaxArithmetic:
    """`harness.submission.averages.Arithmetic`, each operation compiled once."""

    def copy(self, values: Mapping[str, Array]) -> Values:
        """Copies that later steps, which may reuse their arguments' memory, do not change."""
        return {name: jnp.copy(value) for name, value in values.items()}

    def towards(self, average: Values, values: Mapping[str, Array], weight: float) -> Values:
        """average + weight (values - average), new arrays."""
        moved: Values = _moved(average, dict(values), average, weight)
        return moved

    def shifted(
        self, average: Values, values: Mapping[str, Array], start: Values, weight: float
    ) -> Values:
        """average + weight (values - start), new arrays."""
        moved: Values = _moved(average, dict(values), start, weight)
        return moved


@jax.jit
def _moved(average: Any, values: Any, start: Any, weight: Any) -> Any:
    return jax.tree.map(lambda a, v, s: a + weight * (v - s), average, values, start)


def scale_start(problem: JaxProblem, found: Mapping[str, Scaling]) -> None:
    """Multiply the parameters by a parametrisation's factors on their start."""
    for name, scaling in found.items():
        problem.parameters[name] = scaling.initial * problem.parameters[name]


def prepare_class(problem: JaxProblem, hyperparameters: Hyperparameters) -> None:
    """Give the parameters of a class of door 3 the start that the point asks for."""
    scale_start(problem, scalings(problem.specs, hyperparameters))


class OptimizerWrapper:
    """Clipping and parametrisation around an optax transformation, whose state stays its own.

    Args:
        problem: the problem; its parameters W are scaled to a parametrisation's start.
        hyperparameters: `clip`, the largest global norm of dL/dW (0 for none), and
            `parametrisation`.
    """

    def __init__(self, problem: JaxProblem, hyperparameters: Hyperparameters) -> None:
        self._clip = float(hyperparameters.get("clip", 0.0))
        if self._clip < 0.0:
            raise HarnessError(f"clip is {self._clip}", "allowed: 0 (off) or a largest norm")
        found = scalings(problem.specs, hyperparameters)
        self._multiplier = {name: scaling.multiplier for name, scaling in found.items()}
        scale_start(problem, found)

    def __call__(self, inner: optax.GradientTransformation) -> optax.GradientTransformation:
        """The transformation of W that `inner` is in its own coordinates w, where W = A w."""
        if not self._clip and not self._multiplier:
            return inner
        update = optax.with_extra_args_support(inner).update

        def outer(updates: Any, state: Any, params: Any = None, **extra: Any) -> Any:
            updates = self._times(self._clipped(updates))
            for name in ("value_fn", "grad"):
                if name in extra:
                    extra[name] = self._translated(name, extra[name])
            updates, state = update(updates, state, self.inward(params), **extra)
            return self._times(updates), state

        init: Any = inner.init
        return optax.GradientTransformationExtraArgs(lambda w: init(self.inward(w)), outer)

    def eval_parameters(self, evaluate: EvalParameters, state: Any, parameters: Any) -> Any:
        """A transformation's own judgement, of W."""
        return self._times(evaluate(state, self.inward(parameters)))

    def inward(self, values: Any) -> Any:
        """w of W."""
        if not self._multiplier:
            return values
        return {name: value / self._multiplier[name] for name, value in values.items()}

    def _times(self, values: Any) -> Any:
        if not self._multiplier:
            return values
        return {name: self._multiplier[name] * value for name, value in values.items()}

    def _translated(self, name: str, given: Any) -> Any:
        if name == "grad":
            return self._times(given)
        return lambda values: given(self._times(values))

    def _clipped(self, gradients: Any) -> Any:
        if not self._clip:
            return gradients
        squares = [jnp.vdot(gradient, gradient) for gradient in jax.tree.leaves(gradients)]
        norm = jnp.sqrt(jnp.stack(squares).sum())
        factor = jnp.minimum(1.0, self._clip / (norm + 1e-6))
        return jax.tree.map(lambda gradient: factor * gradient, gradients)
