"""Prodigy: optax's sequence over fifty steps, an estimate that never falls and finds the scale."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax
import prodigyopt
import pytest
import torch

from submissions.prodigy.optimizer import Prodigy

from .conftest import Measure
from .given_problem import Point, draw, gradients, largest_error, torch_problem, torch_steps

STEPS = 50


@pytest.mark.parametrize("safeguard", [False, True])
def test_agrees_with_optax(safeguard: bool) -> None:
    settings: Point = {"weight_decay": 0.1, "safeguard_warmup": safeguard}
    problem = torch_problem()
    # From 1e-6 the first steps would drown in the rounding of float32 parameters.
    ours = Prodigy(
        problem.parameters.values(), bias_correction=True, first_estimate=1e-3, **settings
    )
    actual = torch_steps(ours, problem, range(STEPS))
    theirs = optax.contrib.prodigy(1.0, betas=(0.9, 0.999), estim_lr0=1e-3, **settings)
    parameters: Any = {n: jnp.asarray(v) for n, v in draw(0).items()}
    state: Any = theirs.init(parameters)
    update = jax.jit(theirs.update)
    for step in range(STEPS):
        updates, state = update(gradients(step), state, parameters)
        parameters = optax.apply_updates(parameters, updates)
    estimate = ours.param_groups[0]["estimate"]
    assert estimate > 2e-3
    assert estimate == pytest.approx(float(state.estim_lr), rel=1e-3)
    displacement = largest_error(actual, draw(0))
    assert largest_error(actual, parameters) < 1e-3 * displacement


def test_the_estimate_grows_from_any_start_and_never_falls() -> None:
    weight = torch.nn.Parameter(torch.full((8,), 3.0))
    ours = Prodigy([weight], first_estimate=1e-6, bias_correction=True)
    estimates = []
    for _ in range(200):
        weight.grad = weight.detach().clone()
        ours.step()
        estimates.append(ours.param_groups[0]["estimate"])
    assert estimates == sorted(estimates)
    # The distance in the norm that Adam's step is measured with is 3 an entry.
    assert 0.1 < estimates[-1] < 30.0


def test_a_rate_of_zero_changes_nothing() -> None:
    problem = torch_problem()
    ours = Prodigy(problem.parameters.values(), lr=0.0)
    assert largest_error(torch_steps(ours, problem, range(3)), draw(0)) == 0.0
    assert ours.param_groups[0]["estimate"] == 1e-6


@pytest.mark.parametrize("bias_correction", [False, True])
def test_agrees_with_the_authors(bias_correction: bool, measure: Measure) -> None:
    problem, other = torch_problem(), torch_problem()
    ours = Prodigy(
        problem.parameters.values(),
        weight_decay=0.1,
        first_estimate=1e-3,
        bias_correction=bias_correction,
    )
    theirs = prodigyopt.Prodigy(
        list(other.parameters.values()),
        weight_decay=0.1,
        d0=1e-3,
        use_bias_correction=bias_correction,
    )
    for optimizer, one in ((ours, problem), (theirs, other)):
        # before the first gradient nothing is known of the distance, and no step counted
        torch_steps(optimizer, one, range(3), scale=0.0)
    actual, expected = torch_steps(ours, problem, range(20)), torch_steps(theirs, other, range(20))
    assert ours.param_groups[0]["estimate"] == pytest.approx(theirs.param_groups[0]["d"], rel=1e-4)
    assert measure(largest_error(actual, expected) / largest_error(actual, draw(0))) < 1e-3


@pytest.mark.parametrize(("first_estimate", "grows"), [(1e-6, False), (1e-2, True)])
def test_in_bfloat16_the_estimate_grows_only_from_what_moves_a_parameter(
    first_estimate: float, grows: bool
) -> None:
    weight = torch.nn.Parameter(torch.ones(64, dtype=torch.bfloat16))
    ours = Prodigy([weight], first_estimate=first_estimate)
    for _ in range(50):
        weight.grad = weight.detach().clone()
        ours.step()
    assert (ours.param_groups[0]["estimate"] > first_estimate) is grows
