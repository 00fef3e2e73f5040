"""A parametrisation around optax: what a transformation is given is in its own coordinates."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from harness.frameworks.jax.wrapper import OptimizerWrapper
from tests.frameworks.kit import Kit


@pytest.mark.parametrize("name", ["value_fn", "obj_fn"])
def test_a_function_of_the_parameters_is_one_of_the_coordinates(name: str) -> None:
    def update(
        updates: Any, state: Any, params: Any = None, **extra: Any
    ) -> tuple[Any, optax.OptState]:
        return jax.grad(extra[name])(params), state

    inner = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
    problem = Kit("jax").problem
    wrapper = OptimizerWrapper(problem, {"parametrisation": "absolute_mup_adam"})
    weights = dict(problem.parameters)
    loss = {name: lambda values: sum(jnp.sum(value**2) for value in values.values()) / 2}
    updates: Any = wrapper(inner).update(weights, optax.EmptyState(), weights, **loss)[0]
    # With W = A w, the gradient of |W|^2 / 2 by w is A W, and a step of w is A times one of W.
    multipliers = {
        k: np.asarray(w / v).mean()
        for (k, w), v in zip(weights.items(), wrapper.inward(weights).values(), strict=True)
    }
    assert len(set(np.round(list(multipliers.values()), 6))) > 1
    for key, value in weights.items():
        np.testing.assert_allclose(updates[key], multipliers[key] ** 2 * value, rtol=1e-5)
