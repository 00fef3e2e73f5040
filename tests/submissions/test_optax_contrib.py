"""Schedule-free AdamW and Prodigy in JAX against torch's, the schedule's factor inside."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from submissions.common.transformations_jax import Arrays

from .conftest import Measure
from .given_problem import (
    STEPS,
    BareProblem,
    Point,
    Values,
    default_point,
    draw,
    gradients,
    largest_error,
    specs,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

POINTS: dict[str, Point] = {
    # From 1e-6 the first steps would drown in the rounding of float32 parameters.
    "prodigy": {"first_estimate": 1e-3, "weight_decay": 0.1},
    "schedule_free_adamw": {"weight_decay": 0.1},
}


def factors() -> list[float]:
    """A warmup from zero and a decay, step by step."""
    return [min(step / 4, 1.0 - step / 40) for step in range(STEPS)]


def torch_way(name: str, **changes: object) -> tuple[Values, Values]:
    """Parameters after all steps, and those to be evaluated."""
    problem = torch_problem()
    optimizer: Any = torch_optimizer(name, problem, **POINTS[name], **changes)
    rate = optimizer.param_groups[0]["lr"]
    for step, factor in enumerate(factors()):
        optimizer.param_groups[0]["lr"] = rate * factor
        trained = torch_steps(optimizer, problem, range(step, step + 1))
    if hasattr(optimizer, "eval"):
        optimizer.eval()
    return trained, {n: v.detach().numpy() for n, v in problem.parameters.items()}


@cache
def jax_way(name: str, **changes: object) -> tuple[Arrays, Arrays]:
    """The same in JAX; kept, for compiling it takes longest."""
    module = importlib.import_module(f"submissions.{name}.submission_jax")
    parameters: Any = {n: jnp.asarray(v) for n, v in draw(0).items()}
    point = default_point(name, **POINTS[name], **changes)
    built = module.build(BareProblem(parameters, specs()), point)
    assert built.takes_factor
    state, update = built.optimizer.init(parameters), jax.jit(built.optimizer.update)
    for step, factor in enumerate(factors()):
        updates, state = update(gradients(step), state, parameters, factor=jnp.asarray(factor))
        parameters = optax.apply_updates(parameters, updates)
    eval_parameters = (
        built.eval_parameters(state, parameters) if built.eval_parameters else parameters
    )
    return parameters, eval_parameters


@pytest.mark.system
@pytest.mark.parametrize("name", POINTS)
def test_jax_agrees_with_torch_under_a_schedule(name: str, measure: Measure) -> None:
    (trained, eval_parameters), (expected, expected_eval) = jax_way(name), torch_way(name)
    displacement = largest_error(expected, draw(0))
    assert displacement > 0.01
    assert measure(largest_error(trained, expected)) < 1e-3 * displacement
    assert measure(largest_error(eval_parameters, expected_eval)) < 1e-3 * displacement


def test_prodigys_first_step_at_a_rate_of_zero_leaves_its_state_finite() -> None:
    _, eval_parameters = jax_way("prodigy")
    assert all(np.isfinite(value).all() for value in eval_parameters.values())


def test_prodigy_with_adams_correction_agrees_too() -> None:
    (trained, _), (expected, _) = (
        way("prodigy", bias_correction=True) for way in (jax_way, torch_way)
    )
    assert largest_error(trained, expected) < 1e-3 * largest_error(expected, draw(0))


def test_prodigy_waits_for_a_first_gradient() -> None:
    module = importlib.import_module("submissions.prodigy.submission_jax")
    parameters: Any = {n: jnp.asarray(v) for n, v in draw(0).items()}
    built = module.build(BareProblem(parameters, specs()), default_point("prodigy"))
    state = built.optimizer.init(parameters)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    update = jax.jit(built.optimizer.update)
    updates, after = update(zeros, state, parameters, factor=jnp.asarray(1.0))
    assert largest_error(updates, zeros) == 0.0
    assert int(after.count) == int(state.count) == 0
    assert float(after.estim_lr) == float(state.estim_lr)
