"""Elastic averaging: torch.optim's SGD without springs, springs alone, the region of stability."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from submissions.ea_sgd import submission as module
from tests.tiers import nightly_but

from .conftest import Measure
from .small_problem import DoubleStream, double_kit, submission, values

STEPS = 20


def test_a_replica_without_springs_is_torch_optims_sgd(measure: Measure) -> None:
    """Whose iterate is the point looked ahead to."""
    kit, other = double_kit(), double_kit()
    point = {"replicas": 1, "elasticity": 0.0, "schedule": "constant", "warmup": 0.0}
    point["learning_rate"] = 0.1
    ours, stream, again = submission("ea_sgd", kit, **point), DoubleStream(kit), DoubleStream(kit)
    theirs = torch.optim.SGD(
        other.problem.parameters.values(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    for _ in range(STEPS):
        ours.step(stream)
        theirs.zero_grad()
        other.problem.batch_loss(again.next()).backward()
        theirs.step()
    ahead = ours.state["replicas"][0] + 0.9 * ours.state["velocities"][0]
    assert measure(float((ahead - values(other)).abs().max())) < 1e-12


class Bowl:
    """What stands for the loss of a batch: ||x||^2 / 2."""

    def __init__(self, *_: object) -> None:
        pass

    def __call__(self, x: torch.Tensor) -> tuple[float, torch.Tensor]:
        return float(0.5 * x @ x), x.clone()


class NoStream:
    def next(self) -> None:
        """Nothing to draw."""


def on_the_bowl(monkeypatch: pytest.MonkeyPatch, **point: object) -> Any:
    """The method where every gradient is the parameters, its replicas apart."""
    monkeypatch.setattr(module, "FixedLoss", Bowl)
    same = {"schedule": "constant", "warmup": 0.0, "weight_decay": 0.0}
    ours = submission("ea_sgd", double_kit(), **same, **point)
    for i, replica in enumerate(ours.state["replicas"]):
        replica.add_(float(i + 1))
    return ours


def test_twenty_steps_are_the_papers(monkeypatch: pytest.MonkeyPatch, measure: Measure) -> None:
    """EAMSGD: gradients at x + mu v, springs at x, the centre by the sum of the pulls."""
    point = {"replicas": 3, "elasticity": 0.6, "period": 2, "learning_rate": 0.3, "momentum": 0.8}
    ours = on_the_bowl(monkeypatch, **point)
    x = [replica.clone() for replica in ours.state["replicas"]]
    v, centre = [torch.zeros_like(x[0]) for _ in x], ours.state["centre"].clone()
    for step in range(STEPS):
        ours.step(NoStream())
        pulls = [0.2 * (one - centre) * (step % 2 == 0) for one in x]
        v = [0.8 * u - 0.3 * (one + 0.8 * u) for one, u in zip(x, v, strict=True)]
        x = [one + u - pull for one, u, pull in zip(x, v, pulls, strict=True)]
        centre = centre + torch.stack(pulls).sum(0)
    assert measure(float((ours.state["centre"] - centre).abs().max())) < 1e-12


def test_springs_alone_follow_the_powers_of_their_matrix() -> None:
    kit = double_kit()
    point = {"replicas": 3, "elasticity": 0.6, "period": 2, "learning_rate": 0.0}
    ours, stream = submission("ea_sgd", kit, **point), DoubleStream(kit)
    for i, replica in enumerate(ours.state["replicas"]):
        replica.add_(float(i - 2))
    before = torch.stack([*ours.state["replicas"], ours.state["centre"]])
    for _ in range(STEPS):
        ours.step(stream)
    alpha = 0.2
    matrix = (1 - alpha) * np.eye(4)
    matrix[:3, 3] = matrix[3, :3] = alpha
    matrix[3, 3] = 1 - 3 * alpha
    power = torch.from_numpy(np.linalg.matrix_power(matrix, STEPS // 2))
    after = torch.stack([*ours.state["replicas"], ours.state["centre"]])
    torch.testing.assert_close(after, power @ before, atol=1e-12, rtol=0.0)
    torch.testing.assert_close(after.sum(0), before.sum(0))


POINTS = list(product((1, 2, 4), (0.1, 1.0, 1.9)))


@pytest.mark.parametrize(("replicas", "rate"), nightly_but([(2, 1.0)], POINTS))
@pytest.mark.parametrize("share", [0.98, 1.02])
def test_the_region_of_stability_is_the_stated_one(
    monkeypatch: pytest.MonkeyPatch, replicas: int, rate: float, share: float
) -> None:
    """With one replica it is the thesis's: alpha at most (4 - 2 eta) / (4 - eta)."""
    bound = (4 - 2 * rate) / (2 + replicas * (2 - rate))
    point = {"replicas": replicas, "learning_rate": rate, "momentum": 0.0, "period": 1}
    ours = on_the_bowl(monkeypatch, **point, elasticity=0.5)
    ours.point = {**ours.point, "elasticity": share * bound * replicas}
    for _ in range(2000):
        ours.step(NoStream())
    assert bool(ours.state["centre"].abs().max() < 1.0) is (share < 1.0)


def test_an_elasticity_at_which_nothing_is_stable_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"elasticity is 1\.7 with 4 replicas"):
        submission("ea_sgd", double_kit(), replicas=4, elasticity=1.7)


def test_the_centre_is_evaluated_and_every_replica_draws_its_own_batch() -> None:
    kit = double_kit()
    ours, stream = submission("ea_sgd", kit, replicas=3), DoubleStream(kit)
    ours.step(stream)
    assert stream.inner.position == 3 * 32
    evaluated = torch.cat([value.flatten() for value in ours.eval_parameters().values()])
    assert torch.equal(evaluated, ours.state["centre"])
    assert not torch.equal(ours.state["replicas"][0], ours.state["replicas"][1])
