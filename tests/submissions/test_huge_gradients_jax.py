"""Twins in JAX after one huge gradient go on beside torch's; infinite ones and NaN show up."""

from __future__ import annotations

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from harness.submission.interface import Built
from submissions.common.precision import bound_gradient as torch_bound_gradient
from submissions.common.precision_jax import bound_gradient
from tests.tiers import nightly_but

from .given_problem import (
    NAMES,
    STEPS,
    BareProblem,
    Point,
    Values,
    default_point,
    draw,
    gradients,
    specs,
    torch_optimizer,
    torch_problem,
)

AT, LARGEST = 5, 5e19
"""The step of the huge gradient, and its largest entry, of which AdamW's square is finite."""
UNBOUNDED = ("adamw", "muon", "soap")
"""Unchanged while a board is being grown with them: AdamW's second moment overflows in optax
below where torch's does, and the others' products are NaN.
"""
BOUNDED = [name for name in NAMES if name not in UNBOUNDED]
NULL_SPACES = ("eshampoo", "kl_shampoo", "kl_soap", "splus")
"""Their bases of a null space are anybody's: compared where the first gradient's rank is full."""
TOLERANCE = {"kl_soap": 5e-2}
"""Its eigenvalues of the huge gradient and of the others differ by more than float32's range."""
NO_NULL_SPACES = ("square", "square_2", "bias")
KINDS = ("adafactor", "adam", "normuon", "psgd", "schedule_free_adamw", "swats")
"""At every commit: a chain of optax's, Adam's, a momentum, factors, an average, own squares."""


def point_of(name: str) -> Point:
    """The default point with products in float32, and no estimate that drowns in rounding."""
    changes: Point = {"matmul_dtype": "float32", "first_estimate": 1e-3}
    point = default_point(name)
    return {**point, **{key: value for key, value in changes.items() if key in point}}


def names_of(name: str) -> tuple[str, ...]:
    """The parameters on which both frameworks can be compared."""
    return NO_NULL_SPACES if name in NULL_SPACES else tuple(specs())


def given(step: int) -> Values:
    """The gradients of one step, at one of them huge."""
    values = gradients(step)
    if step != AT:
        return values
    return {n: (v * (LARGEST / np.abs(v).max())).astype(np.float32) for n, v in values.items()}


def torch_way(name: str) -> list[Values]:
    """The parameters after each step."""
    names, whole = names_of(name), torch_problem()
    problem = BareProblem({n: whole.parameters[n] for n in names}, {n: specs()[n] for n in names})
    optimizer, seen = torch_optimizer(name, problem, **point_of(name)), []
    for step in range(STEPS):
        for n, parameter in problem.parameters.items():
            parameter.grad = torch.from_numpy(given(step)[n])
        optimizer.step()
        seen.append({n: p.detach().numpy().copy() for n, p in problem.parameters.items()})
    return seen


def build_jax(name: str, names: tuple[str, ...]) -> tuple[Built, Any]:
    """A twin, and the parameters that it starts from."""
    module = importlib.import_module(f"submissions.{name}.submission_jax")
    parameters: Any = {n: jnp.asarray(draw(0)[n]) for n in names}
    problem = BareProblem(parameters, {n: specs()[n] for n in names})
    result = module.build(problem, point_of(name))
    return result if isinstance(result, Built) else Built(*result), parameters


def jax_way(name: str) -> list[Values]:
    """The same in JAX."""
    built, parameters = build_jax(name, names_of(name))
    transformation: Any = built.optimizer
    state, update, seen = transformation.init(parameters), jax.jit(transformation.update), []
    extra = {"factor": jnp.ones(())} if built.takes_factor else {}
    for step in range(STEPS):
        now = {n: given(step)[n] for n in parameters}
        changes, state = update(now, state, parameters, **extra)
        after: Any = optax.apply_updates(parameters, changes)
        parameters = after
        seen.append({n: np.asarray(v) for n, v in after.items()})
    return seen


@pytest.mark.system
@pytest.mark.parametrize("name", nightly_but(KINDS, BOUNDED))
def test_after_a_huge_gradient_jax_goes_on_beside_torch(name: str) -> None:
    ours, expected = jax_way(name), torch_way(name)
    for step in (AT, AT + 1, STEPS - 1):
        for n, value in expected[step].items():
            moved = float(np.abs(value - expected[AT - 1][n]).max())
            moved = max(moved, float(np.abs(value - draw(0)[n]).max()))
            assert moved > 0.0
            error = float(np.abs(ours[step][n] - value).max())
            assert error < TOLERANCE.get(name, 1e-2) * moved, (step, n)


NOT_FINITE = [(n, *case) for n in BOUNDED for case in (("square", np.inf), ("bias", np.nan))]
AT_EVERY_COMMIT = [("adam", "bias", np.nan), ("scion", "square", np.inf)]


@pytest.mark.system
@pytest.mark.parametrize(("name", "where", "value"), nightly_but(AT_EVERY_COMMIT, NOT_FINITE))
def test_a_gradient_that_is_not_finite_shows_up_at_once(
    name: str, where: str, value: float
) -> None:
    built, parameters = build_jax(name, tuple(specs()))
    transformation: Any = built.optimizer
    state, update = transformation.init(parameters), jax.jit(transformation.update)
    extra = {"factor": jnp.ones(())} if built.takes_factor else {}
    for step in range(3):
        now = gradients(step)
        if step == 2:
            now[where].flat[7] = value
        changes, state = update(now, state, parameters, **extra)
        parameters = optax.apply_updates(parameters, changes)
    assert not np.isfinite(parameters[where]).all()


@pytest.mark.parametrize("largest", [0.0, 1.0, 4e6, 5e6, 1e20, 3e38, np.inf, np.nan])
def test_the_bound_is_torchs(largest: float) -> None:
    gradient = np.array([[0.5, -0.25], [1.0, 0.0]], np.float32)
    gradient[1, 0] = largest
    ours = np.asarray(bound_gradient(jnp.asarray(gradient)))
    expected = torch_bound_gradient(torch.from_numpy(gradient)).numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


@pytest.mark.parametrize(("power", "limit"), [(4, 4.3e6), (2, 1.9e16)])
def test_the_bound_leaves_smaller_gradients_as_they_are(power: int, limit: float) -> None:
    small = jnp.asarray([0.5 * limit, 1.0, 1e-30])
    assert bool((bound_gradient(small, power) == small).all())
    large = bound_gradient(jnp.asarray([1e3 * limit, limit]), power)
    assert 0.9 * limit < float(large[0]) < limit
    assert float(large[1]) == pytest.approx(1e-3 * float(large[0]), rel=1e-5)


def test_a_gradient_without_entries_has_no_bound() -> None:
    assert bound_gradient(jnp.zeros((0, 3))).shape == (0, 3)
