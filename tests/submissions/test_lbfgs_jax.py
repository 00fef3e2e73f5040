"""L-BFGS in JAX: optax's own loop over twenty iterations, its passes counted."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import optax
from given_problem import default_point

from harness.registry import submission_folders
from tests.frameworks.kit import Kit

STEPS = 20
POINT = default_point("lbfgs", iterations=STEPS, restart_factor=1, batch_factor=2)


def test_twenty_iterations_are_optaxs_and_are_counted() -> None:
    kit = Kit("jax")
    problem, batch = kit.problem, kit.batch(64)
    search = optax.scale_by_zoom_linesearch(
        POINT["evaluations"], slope_rtol=1e-4, curv_rtol=0.9, initial_guess_strategy="one"
    )
    method = optax.lbfgs(memory_size=10, linesearch=search)

    def loss(parameters: Any) -> Any:
        return problem.evaluate(parameters, batch).loss

    @jax.jit
    def iterate(parameters: Any, state: Any) -> Any:
        value, gradient = jax.value_and_grad(loss)(parameters)
        updates, state = method.update(
            gradient, state, parameters, value=value, grad=gradient, value_fn=loss
        )
        return optax.apply_updates(parameters, updates), state

    expected: Any = dict(problem.parameters)
    state = method.init(expected)
    for _ in range(STEPS):
        expected, state = iterate(expected, state)
    ours = kit.submission(submission_folders()["lbfgs"], **POINT)
    problem.reset_counts()
    assert float(ours.step(kit.stream())) > 1.0
    found = ours.eval_parameters()
    assert problem.counts["backward"] > STEPS
    assert problem.counts["examples"] == 64 * problem.counts["forward"]
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-3)
