"""Entropy-SGD: the local entropy's gradient on a quadratic, torch.optim's SGD inside."""

from __future__ import annotations

import pytest
import torch

from submissions.common.methods import fresh_random
from submissions.entropy_sgd import submission as module

from .conftest import Measure
from .small_problem import DoubleStream, double_kit, submission, values

STEPS = 20


def test_without_scope_and_noise_the_inner_loop_is_torch_optims_sgd() -> None:
    kit, other = double_kit(), double_kit()
    point = {"scope": 0.0, "noise": 0.0, "averaging": 1.0, "langevin_steps": STEPS}
    ours = submission("entropy_sgd", kit, **point, langevin_momentum=0.9, schedule="constant")
    theirs = torch.optim.SGD(
        other.problem.parameters.values(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    stream = DoubleStream(kit)
    for _ in range(STEPS):
        theirs.zero_grad()
        other.problem.batch_loss(stream.next()).backward()
        theirs.step()
    ours.step(DoubleStream(kit))
    torch.testing.assert_close(values(kit), values(other), atol=1e-12, rtol=0.0)


def quadratic(curvature: float) -> type[object]:
    """What stands for the loss of a batch: curvature / 2 ||x||^2."""

    class Quadratic:
        def __init__(self, *_: object) -> None:
            pass

        def __call__(self, x: torch.Tensor) -> tuple[float, torch.Tensor]:
            return float(0.5 * curvature * x @ x), curvature * x

    return Quadratic


@pytest.mark.parametrize(("curvature", "scope"), [(1.0, 0.5), (0.2, 2.0)])
def test_steps_follow_the_local_entropys_gradient(
    monkeypatch: pytest.MonkeyPatch, curvature: float, scope: float
) -> None:
    monkeypatch.setattr(module, "FixedLoss", quadratic(curvature))
    kit = double_kit()
    point = {"scope": scope, "scoping": 0.0, "noise": 0.0, "weight_decay": 0.0}
    point |= {"averaging": 0.1, "langevin_steps": 300, "learning_rate": 0.5}
    ours = submission("entropy_sgd", kit, **point, schedule="constant")
    expected, stream = values(kit), DoubleStream(kit)
    for _ in range(STEPS):
        # The Gibbs measure around x is Gaussian with mean gamma x / (gamma + c).
        expected = expected - 0.5 * (expected - scope / (scope + curvature) * expected)
        ours.step(stream)
    torch.testing.assert_close(values(kit), expected, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_outer_steps_are_those_of_the_authors_codes(
    monkeypatch: pytest.MonkeyPatch, measure: Measure, momentum: float
) -> None:
    """With their constants: 0.75 on the old average, noise of epsilon / sqrt(eta' / 2) a step."""
    monkeypatch.setattr(module, "FixedLoss", quadratic(1.0))
    kit, other = double_kit(), double_kit()
    settings = {"noise": 0.1, "scope": 0.3, "langevin_momentum": momentum, "schedule": "constant"}
    ours, stream = submission("entropy_sgd", kit, **settings), FakeStream()
    x = values(other)
    for step in range(STEPS):
        ours.step(stream)
        inner, average, m, scope = x.clone(), x.clone(), torch.zeros_like(x), 0.3 * 1.001**step
        for _ in range(20):
            fresh_random(other.problem)
            dw = inner + 5e-4 * inner
            m = momentum * m + dw
            dw = dw + momentum * m if momentum else dw
            noise = torch.empty_like(x).normal_(generator=other.problem.generator)
            # of either sign, as the noise is symmetric
            dw = dw - scope * (x - inner) - 0.1 / (0.5 * 0.1) ** 0.5 * noise
            inner = inner - 0.1 * dw
            average = 0.75 * average + 0.25 * inner
        x = x - (x - average)
    assert measure(float((values(kit) - x).abs().max())) < 1e-12


def test_langevin_noise_has_the_gibbs_measures_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FixedLoss", quadratic(1.0))
    kit, steps = double_kit(), 4000
    ours = submission("entropy_sgd", kit, scope=1.0, noise=1.0, weight_decay=0.0)
    inner = torch.zeros_like(values(kit))
    x, momentum, squares = torch.zeros_like(inner), torch.zeros_like(inner), 0.0
    for _ in range(steps):
        ours._langevin(FakeStream(), x, inner, momentum)
        squares += float(inner.square().mean()) / steps
    # x' <- (1 - 2 eta') x' + sqrt(2 eta') N; exp(-x'^2), the Gibbs measure, has 1 / 2.
    assert squares == pytest.approx(0.5 / 0.9, rel=0.05)


class FakeStream:
    def next(self) -> None:
        """Nothing to draw."""


def test_the_scope_grows() -> None:
    kit = double_kit()
    ours, stream = submission("entropy_sgd", kit, langevin_steps=1), DoubleStream(kit)
    for _ in range(STEPS):
        ours.step(stream)
    assert ours.state["scope"] == pytest.approx(0.01 * 1.001**STEPS)


def test_the_scope_stops_where_the_spring_would_overshoot() -> None:
    kit = double_kit()
    point = {"langevin_steps": 1, "scope": 8.0, "scoping": 0.1}
    ours, stream = submission("entropy_sgd", kit, **point), DoubleStream(kit)
    for _ in range(STEPS):
        ours.step(stream)
    assert ours.state["scope"] == pytest.approx(8.0 * 1.1**2)
