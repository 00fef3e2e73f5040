"""Hessian-free: exact solutions over twenty steps, a loss that falls, damping that follows rho."""

from __future__ import annotations

import pytest
import torch

from .conftest import Measure
from .small_problem import DoubleStream, double_kit, fisher, gradient, submission, values

STEPS = 20
WHOLE = {"batch_factor": 2, "curvature_fraction": 1.0, "cg_iterations": 1000}


def test_the_searches_end_at_the_solution_of_the_damped_system() -> None:
    kit = double_kit()
    ours = submission("hessian_free", kit, **WHOLE, damping=0.1, exponent=0.75)
    stream, again = DoubleStream(kit), DoubleStream(kit)
    for _ in range(STEPS):
        batch, damping = again.next(64), ours.state["damping"]
        g = gradient(kit.problem, batch)
        matrix = fisher(kit.problem, batch) + damping * torch.eye(len(g), dtype=g.dtype)
        exact = torch.linalg.solve(matrix, -g)
        ours.step(stream)
        solution = ours.state["previous"]
        # The search stops when ten iterations gain less than 0.5 % of what q has fallen by.
        q_solution, q_exact = (0.5 * p @ matrix @ p + g @ p for p in (solution, exact))
        assert q_exact <= q_solution < 0.98 * q_exact


def test_where_damping_is_strong_steps_are_those_of_the_dense_system(
    measure: Measure,
) -> None:
    """Few iterations then solve it, the kept iterate is near the last, and no step is shortened."""
    kit = double_kit()
    ours = submission("hessian_free", kit, **WHOLE, damping=20.0)
    stream, again = DoubleStream(kit), DoubleStream(kit)
    for step in range(STEPS):
        damping = ours.state["damping"] = 20.0 * (2 / 3) ** (step % 8)
        batch, before = again.next(64), values(kit)
        matrix = fisher(kit.problem, batch) + damping * torch.eye(len(before), dtype=before.dtype)
        expected = before - torch.linalg.solve(matrix, gradient(kit.problem, batch))
        ours.step(stream)
        error = measure(float((values(kit) - expected).norm()))
        assert error < 1e-3 * float((expected - before).norm())


@pytest.mark.parametrize("curvature", ["gauss_newton", "hessian", "finite_difference"])
def test_no_step_raises_the_loss_of_its_batch(curvature: str) -> None:
    kit = double_kit()
    ours = submission("hessian_free", kit, curvature=curvature, batch_factor=2, damping=1.0)
    stream, again, start = DoubleStream(kit), DoubleStream(kit), None
    for _ in range(STEPS):
        batch = again.next(64)
        before = kit.problem.evaluate({}, batch).loss.item()
        start = start or before
        assert float(ours.step(stream)) == pytest.approx(before)
        assert kit.problem.evaluate({}, batch).loss.item() <= before
    assert start is not None and before < 0.5 * start


@pytest.mark.parametrize(
    ("actual", "damping"),
    [(-0.1, 1.5), (0.3, 1.5), (float("nan"), 1.5), (-0.5, 1.0), (-0.9, 2 / 3)],
)
def test_damping_follows_the_reduction_ratio(actual: float, damping: float) -> None:
    ours = submission("hessian_free", double_kit(), damping=1.0)
    ours._adapt(actual, -1.0)
    assert ours.state["damping"] == pytest.approx(damping)


def test_the_search_starts_from_the_last_solution() -> None:
    kit = double_kit()
    ours = submission("hessian_free", kit, warm_start=0.5, cg_iterations=0)
    ours.state["previous"] += 2.0
    ours.step(DoubleStream(kit))
    torch.testing.assert_close(ours.state["previous"], torch.ones_like(values(kit)))
