"""Adam-Clip: the source's equation, and both methods between which it lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError

from .conftest import Measure
from .given_problem import (
    Array,
    Point,
    largest_error,
    textbook_steps,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

POINT: Point = {"learning_rate": 0.01, "sgd_learning_rate": 0.5, "weight_decay": 0.1}


def textbook(low: float, high: float) -> dict[str, Array]:
    """The source's steps in float64."""
    moments: dict[str, tuple[Array, Array]] = {}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        g = g + 0.1 * w
        m, v = moments.get(name, (np.zeros_like(w), np.zeros_like(w)))
        moments[name] = m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        size = 0.01 * np.sqrt(1 - 0.99**t) / (1 - 0.9**t) / (np.sqrt(v) + 1e-9)
        after: Array = w - np.clip(size, 0.5 * low, 0.5 * high) * m
        return after

    return textbook_steps(update)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.2, 0.4), (1.0, 1e6)])
def test_twenty_steps_are_the_sources(low: float, high: float, measure: Measure) -> None:
    problem = torch_problem(torch.float64)
    ours = torch_optimizer("adam_clip", problem, **POINT, lower=low, upper=high)
    assert measure(largest_error(torch_steps(ours, problem), textbook(low, high))) < 1e-12


def test_without_bounds_it_is_torch_optims_adam() -> None:
    problem, other = torch_problem(torch.float64), torch_problem(torch.float64)
    free = {"lower": 0.0, "upper": 1e6, "epsilon": 1e-30}
    ours = torch_optimizer("adam_clip", problem, **POINT, **free)
    theirs = torch.optim.Adam(
        other.parameters.values(), lr=0.01, betas=(0.9, 0.99), eps=1e-30, weight_decay=0.1
    )
    assert largest_error(torch_steps(ours, problem), torch_steps(theirs, other)) < 1e-12


def test_bounds_follow_the_schedule() -> None:
    problem = torch_problem(torch.float64)
    ours = torch_optimizer("adam_clip", problem, **POINT, lower=1.0, upper=1.0)
    (group,) = ours.param_groups
    group["lr"] *= 0.5
    before = problem.parameters["bias"].detach().clone()
    gradient = torch.from_numpy(np.ones(24))
    problem.parameters["bias"].grad = gradient
    ours.step()
    displacement = before - problem.parameters["bias"].detach()
    torch.testing.assert_close(displacement, 0.5 * 0.5 * 0.1 * (gradient + 0.1 * before))


def test_bounds_that_cross_are_refused() -> None:
    with pytest.raises(HarnessError, match=r"lower is 2\.0, upper 1\.0"):
        torch_optimizer("adam_clip", torch_problem(), lower=2.0, upper=1.0)
