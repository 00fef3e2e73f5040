"""The loss of one batch in JAX as a function of the parameters, by name or as one vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
from jax import Array
from jax.flatten_util import ravel_pytree

from harness.submission.interface import Batch
from submissions.common.methods_jax import LiveProblem, Values

Unflatten = Callable[[Array], Values]
"""From a vector (n,) to arrays by name."""


def flatten(values: Mapping[str, Array]) -> tuple[Array, Unflatten]:
    """All arrays as one vector (n,), in the order of their names, and the inverse function."""
    vector, unflatten = ravel_pytree(dict(values))
    return vector, unflatten


class FixedLoss:
    """The loss of one batch under one key, as a pure function of the parameters by name.

    Args:
        problem: the problem to evaluate.
        batch: the examples.
        key: the key of every pass, for dropout.
    """

    def __init__(self, problem: LiveProblem, batch: Batch[Array], key: Array) -> None:
        self.problem, self.batch, self.key = problem, batch, key

    def value(self, parameters: Values) -> Array:
        """The mean loss, a scalar."""
        return self.problem.evaluate(parameters, self.batch, self.key).loss

    def logits(self, parameters: Values) -> Array:
        """The model's outputs, (batch, ..., outputs)."""
        return self.problem.evaluate(parameters, self.batch, self.key).logits

    def __call__(self, parameters: Values) -> tuple[Array, Values]:
        """The loss and its gradients by name."""
        loss, gradients = jax.value_and_grad(self.value)(parameters)
        return loss, gradients
