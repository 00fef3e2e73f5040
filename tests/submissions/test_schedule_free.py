"""Schedule-free AdamW and SGD: others' sequences, the average, evaluation without a trace."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import schedulefree
import torch

from harness.core.errors import HarnessError
from submissions.schedule_free_adamw.submission import ScheduleFreeAdamW
from submissions.schedule_free_sgd.submission import ScheduleFreeSgd

from .conftest import Measure
from .given_problem import Point, draw, gradients, largest_error, torch_problem, torch_steps

SETTINGS: Point = {"lr": 0.01, "weight_decay": 0.1}


def test_agrees_with_optax_in_both_modes() -> None:
    problem = torch_problem()
    ours = ScheduleFreeAdamW(problem.parameters.values(), **SETTINGS)
    trained = torch_steps(ours, problem)
    ours.eval()
    evaluated = {name: value.detach().numpy() for name, value in problem.parameters.items()}
    theirs = optax.contrib.schedule_free_adamw(0.01, weight_decay=0.1)
    parameters: Any = {n: jnp.asarray(v) for n, v in draw(0).items()}
    state = theirs.init(parameters)
    update = jax.jit(theirs.update)
    for step in range(20):
        updates, state = update(gradients(step), state, parameters)
        parameters = optax.apply_updates(parameters, updates)
    assert largest_error(trained, parameters) < 1e-5
    assert (
        largest_error(evaluated, optax.contrib.schedule_free_eval_params(state, parameters)) < 1e-5
    )


def test_what_is_evaluated_is_the_average_of_z() -> None:
    problem = torch_problem()
    ours = ScheduleFreeAdamW(problem.parameters.values(), **SETTINGS)
    weight = problem.parameters["square"]
    history = []
    for step in range(20):
        torch_steps(ours, problem, range(step, step + 1))
        history.append(ours.state[weight]["z"].clone())
    ours.eval()
    torch.testing.assert_close(weight.detach(), torch.stack(history).mean(0), atol=1e-5, rtol=0.0)


def test_evaluation_leaves_no_trace() -> None:
    problem = torch_problem()
    ours = ScheduleFreeAdamW(problem.parameters.values(), **SETTINGS)
    before = torch_steps(ours, problem, range(3))
    ours.eval()
    ours.eval()
    ours.train()
    for name, value in problem.parameters.items():
        np.testing.assert_array_equal(value.detach().numpy(), before[name])


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_agrees_with_the_authors_in_both_modes(kind: str, measure: Measure) -> None:
    problem, other = torch_problem(), torch_problem()
    ours: Any = {"sgd": ScheduleFreeSgd, "adamw": ScheduleFreeAdamW}[kind]
    theirs: Any = {
        "sgd": schedulefree.SGDScheduleFree,
        "adamw": schedulefree.AdamWScheduleFree,
    }[kind]
    ours = ours(problem.parameters.values(), **SETTINGS)
    theirs = theirs(list(other.parameters.values()), foreach=False, **SETTINGS)
    theirs.train()
    assert measure(largest_error(torch_steps(ours, problem), torch_steps(theirs, other))) < 2e-6
    ours.eval()
    theirs.eval()
    for name, value in problem.parameters.items():
        torch.testing.assert_close(value, other.parameters[name], atol=5e-6, rtol=0.0)


def test_with_momentum_one_the_parameters_are_the_average_of_sgds_iterates() -> None:
    weight = torch.nn.Parameter(torch.tensor([4.0, -2.0]))
    ours = ScheduleFreeSgd([weight], lr=0.3, momentum=1.0)
    iterate, iterates = torch.tensor([4.0, -2.0]), []
    for _ in range(20):
        iterate = iterate - 0.3 * weight.detach()
        iterates.append(iterate)
        weight.grad = weight.detach().clone()
        ours.step()
        average = torch.stack(iterates).mean(0)
        torch.testing.assert_close(weight.detach(), average, atol=1e-5, rtol=0.0)


def test_momentum_zero_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"momentum is 0\.0"):
        ScheduleFreeSgd([torch.nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.0)
