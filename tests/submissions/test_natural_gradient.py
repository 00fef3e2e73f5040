"""Natural gradient: explicit solutions over twenty steps, the bound on divergence."""

from __future__ import annotations

import pytest
import torch

from harness.submission.interface import Batch
from submissions.common.methods import fresh_random

from .conftest import Measure
from .small_problem import DoubleStream, double_kit, fisher, gradient, submission, values

EXACT = {
    "curvature_fraction": 1.0,
    "cg_iterations": 500,
    "tolerance": 1e-13,
    "schedule": "constant",
}
STEPS = 20


def test_twenty_steps_are_those_of_the_explicit_inverse(measure: Measure) -> None:
    kit = double_kit()
    point = {**EXACT, "learning_rate": 0.5, "damping": 0.05, "trust": 1e9, "batch_factor": 2}
    ours, stream = submission("natural_gradient", kit, **point), DoubleStream(kit)
    again = DoubleStream(kit)
    for _ in range(STEPS):
        batch, before = again.next(64), values(kit)
        matrix = fisher(kit.problem, batch) + 0.05 * torch.eye(len(before), dtype=before.dtype)
        expected = before - 0.5 * torch.linalg.solve(matrix, gradient(kit.problem, batch))
        ours.step(stream)
        assert measure(float((values(kit) - expected).abs().max())) < 1e-10


@pytest.mark.parametrize("form", ["empirical", "sampled"])
def test_other_fishers_are_sums_of_outer_products(form: str) -> None:
    kit, problem = double_kit(), double_kit().problem
    point = {**EXACT, "damping": 0.05, "trust": 1e9, "batch_factor": 2}
    ours = submission("natural_gradient", kit, **point, fisher=form)
    batch, before = DoubleStream(kit).next(64), values(kit)
    targets = batch.targets
    if form == "sampled":
        fresh_random(problem)
        logits = problem.evaluate({}, batch).logits
        targets = problem.loss.sample_targets(logits, problem.generator)
    parts = [Batch(batch.inputs[i : i + 1], targets[i : i + 1]) for i in range(64)]
    singles = torch.stack([gradient(problem, part) for part in parts])
    matrix = singles.mT @ singles / 64 + 0.05 * torch.eye(len(before), dtype=before.dtype)
    ours.step(DoubleStream(kit))
    step = before - values(kit)
    torch.testing.assert_close(matrix @ step, gradient(problem, batch), atol=1e-10, rtol=0.0)


def test_a_step_diverges_by_no_more_than_the_bound() -> None:
    kit = double_kit()
    point = {**EXACT, "learning_rate": 1e6, "damping": 0.05, "trust": 1e-4, "batch_factor": 2}
    ours, batch = submission("natural_gradient", kit, **point), DoubleStream(kit).next(64)
    before = kit.problem.evaluate({}, batch).logits.detach().log_softmax(-1)
    ours.step(DoubleStream(kit))
    after = kit.problem.evaluate({}, batch).logits.detach().log_softmax(-1)
    divergence = (before.exp() * (before - after)).sum(-1).mean()
    assert float(divergence) == pytest.approx(1e-4, rel=0.05)
