"""Schedule-free AdamW: optax's sequence, the average it stands for, evaluation without a trace."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from given_problem import draw, gradients, largest_error, torch_problem, torch_steps

from submissions.schedule_free_adamw.submission import ScheduleFreeAdamW

SETTINGS: dict[str, Any] = {"lr": 0.01, "weight_decay": 0.1}


def test_agrees_with_optax_in_both_modes() -> None:
    problem = torch_problem()
    ours = ScheduleFreeAdamW(problem.parameters.values(), **SETTINGS)
    trained = torch_steps(ours, problem)
    ours.eval()
    judged = {name: value.detach().numpy() for name, value in problem.parameters.items()}
    theirs = optax.contrib.schedule_free_adamw(0.01, weight_decay=0.1)
    parameters: Any = {n: jnp.asarray(v) for n, v in draw(0).items()}
    state = theirs.init(parameters)
    update = jax.jit(theirs.update)
    for step in range(20):
        updates, state = update(gradients(step), state, parameters)
        parameters = optax.apply_updates(parameters, updates)
    assert largest_error(trained, parameters) < 1e-5
    assert largest_error(judged, optax.contrib.schedule_free_eval_params(state, parameters)) < 1e-5


def test_what_is_judged_is_the_average_of_z() -> None:
    problem = torch_problem()
    ours = ScheduleFreeAdamW(problem.parameters.values(), **SETTINGS)
    weight = problem.parameters["square"]
    seen = []
    for step in range(20):
        torch_steps(ours, problem, range(step, step + 1))
        seen.append(ours.state[weight]["z"].clone())
    ours.eval()
    torch.testing.assert_close(weight.detach(), torch.stack(seen).mean(0), atol=1e-5, rtol=0.0)


def test_evaluation_leaves_no_trace() -> None:
    problem = torch_problem()
    ours = ScheduleFreeAdamW(problem.parameters.values(), **SETTINGS)
    before = torch_steps(ours, problem, range(3))
    ours.eval()
    ours.eval()
    ours.train()
    for name, value in problem.parameters.items():
        np.testing.assert_array_equal(value.detach().numpy(), before[name])
