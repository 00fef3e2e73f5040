"""Amos: the authors' code in float64, JAX against torch under a schedule, what its decay does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from submissions.amos.sizes import expected_size
from submissions.amos.submission import Amos
from submissions.common.optimizers import State
from tests.tiers import nightly_but

from .conftest import Measure
from .given_problem import (
    SHAPES,
    Array,
    draw,
    largest_error,
    scheduled_optax_steps,
    scheduled_torch_steps,
    specs,
    textbook_steps,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

XI, BETA = 0.3, 0.9
"""A rate at which b grows to tens in twenty steps, so that both decay factors count."""


def of_the_authors(mu: float) -> dict[str, Array]:
    states: State = {}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        v, b, m = states.get(name, (0.0, 0.0, 0.0))
        eta = {"bias": 0.5}.get(name, np.prod(SHAPES[name][0][1:]) ** -0.5)
        g2 = (g**2).mean(axis=tuple(range(1, g.ndim)) or None, keepdims=True)
        v = BETA * v + (1 - BETA) * g2
        reciprocal = (1 - BETA**t) / np.maximum(v, 1.0 / (1 << 125))
        gamma = (1 + 0.25 * np.sqrt(XI) * b) ** -0.5 * XI**2 * reciprocal * g2
        step = -XI * eta * np.sqrt(reciprocal) * g - 0.5 * gamma * w
        step = step / (1 + 0.25 * np.sqrt(XI * eta) * b)
        m = mu * m + (1 - mu) * step
        states[name] = v, b + gamma * (1 + b), m
        after: Array = w + m
        return after

    return textbook_steps(update)


@pytest.mark.parametrize("mu", [0.0, 0.9])
def test_torch_agrees_with_the_authors(mu: float, measure: Measure) -> None:
    problem = torch_problem(torch.float64)
    point = {"learning_rate": XI, "beta": BETA, "momentum": mu}
    ours = torch_steps(torch_optimizer("amos", problem, **point), problem)
    assert measure(largest_error(ours, of_the_authors(mu))) < 1e-12


@pytest.mark.system
@pytest.mark.parametrize("mu", nightly_but([0.9], [0.0, 0.9]))
def test_jax_agrees_with_torch_under_a_schedule(mu: float, measure: Measure) -> None:
    point = {"learning_rate": XI, "beta": BETA, "momentum": mu}
    ours = scheduled_torch_steps("amos", **point)
    assert measure(largest_error(ours, scheduled_optax_steps("amos", **point))) < 1e-5


def test_rows_share_a_second_moment_and_a_decay() -> None:
    problem = torch_problem()
    optimizer = torch_optimizer("amos", problem)
    torch_steps(optimizer, problem, range(2))
    for name, shape in (("tall", (40, 1)), ("kernel", (16, 1, 1, 1)), ("bias", (1,))):
        state = optimizer.state[problem.parameters[name]]
        assert state["second"].shape == state["decay_sum"].shape == shape


def test_expected_sizes_follow_roles() -> None:
    result = {name: expected_size(spec) for name, spec in specs().items()}
    assert result["bias"] == 0.5
    assert result["tall"] == pytest.approx(12**-0.5)
    assert result["kernel"] == pytest.approx(36**-0.5)


@pytest.mark.parametrize("start", [0.2, 2.0])
def test_under_noise_alone_weights_tend_to_the_expected_size(start: float) -> None:
    """The decay is that under which steps of this length leave entries as large as expected."""
    random = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.full((4, 500), start))
    optimizer = Amos([weight], {"lr": 0.05, "momentum": 0.0, "beta": 0.9, "size": 1.0})
    for _ in range(1200):
        weight.grad = torch.randn(4, 500, generator=random)
        optimizer.step()
    assert 0.6 < float(weight.detach().square().mean().sqrt()) < 1.5


def test_a_row_without_gradient_neither_moves_nor_decays() -> None:
    problem = torch_problem()
    optimizer = torch_optimizer("amos", problem)
    weight = problem.parameters["tall"]
    for _ in range(3):
        weight.grad = torch.ones_like(weight)
        weight.grad[7] = 0.0
        optimizer.step()
    displacement = weight.detach() - torch.from_numpy(draw(0)["tall"])
    assert not bool(displacement[7].any())
    assert bool((displacement[6] != 0).all())
