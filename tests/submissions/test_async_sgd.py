"""Asynchronous workers: one is torch's SGD or ea_sgd, several the papers' loops on a bowl."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from submissions.async_sgd import submission as module
from tests.tiers import nightly_but

from .conftest import Measure
from .given_problem import Point
from .small_problem import DoubleStream, double_kit, submission, values
from .test_ea_sgd import Bowl, NoStream

CONSTANT: Point = {"schedule": "constant", "warmup": 0.0, "weight_decay": 0.0}
STEPS = 20


def test_one_worker_under_downpour_is_torch_optims_sgd(measure: Measure) -> None:
    """Whose centre lags by the step that is not pushed yet."""
    kit, other = double_kit(), double_kit()
    point = {**CONSTANT, "workers": 1, "period": 1, "learning_rate": 0.1, "rule": "downpour"}
    ours, stream, again = (
        submission("async_sgd", kit, **point),
        DoubleStream(kit),
        DoubleStream(kit),
    )
    theirs = torch.optim.SGD(other.problem.parameters.values(), lr=0.1)
    for _ in range(STEPS):
        ours.step(stream)
        theirs.zero_grad()
        other.problem.batch_loss(again.next()).backward()
        theirs.step()
    assert measure(float((ours.state["workers"][0] - values(other)).abs().max())) < 1e-12


def test_one_elastic_worker_is_synchronous_elastic_averaging() -> None:
    kit, other = double_kit(), double_kit()
    same = {**CONSTANT, "period": 2, "learning_rate": 0.1}
    ours = submission("async_sgd", kit, **same, workers=1, moving_rate=0.3)
    theirs = submission("ea_sgd", other, **same, replicas=1, elasticity=0.3, momentum=0.0)
    stream, again = DoubleStream(kit), DoubleStream(other)
    for _ in range(STEPS):
        ours.step(stream)
        theirs.step(again)
    torch.testing.assert_close(ours.state["centre"], theirs.state["centre"], rtol=0.0, atol=1e-12)


def on_the_bowl(monkeypatch: pytest.MonkeyPatch, **point: object) -> Any:
    """The method where every gradient is the parameters, its workers apart."""
    monkeypatch.setattr(module, "FixedLoss", Bowl)
    ours = submission("async_sgd", double_kit(), **CONSTANT, **point)
    for i, worker in enumerate(ours.state["workers"]):
        worker.add_(float(i + 1))
    return ours


def turns(durations: list[float], steps: int) -> list[int]:
    """Who is done when, by sorting all ends of all steps."""
    ends = [((n + 1) * time, i) for i, time in enumerate(durations) for n in range(steps)]
    return [i for _, i in sorted(ends)[:steps]]


@pytest.mark.parametrize("rule", ["elastic", "downpour"])
def test_several_workers_follow_the_papers_loop(
    rule: str, monkeypatch: pytest.MonkeyPatch, measure: Measure
) -> None:
    point = {"workers": 3, "period": 2, "slowness": 1.0, "learning_rate": 0.1, "moving_rate": 0.3}
    ours = on_the_bowl(monkeypatch, **point, rule=rule)
    x = [worker.clone() for worker in ours.state["workers"]]
    centre, v, steps = ours.state["centre"].clone(), [0.0 * x[0] for _ in x], [0] * 3
    for n, i in enumerate(turns([1.0, 1.5, 2.0], 3 * STEPS)):
        if n % 3 == 0:
            ours.step(NoStream())
        is_meeting, steps[i] = steps[i] % 2 == 0, steps[i] + 1
        if rule == "downpour" and is_meeting:
            centre = centre + v[i]
            x[i], v[i] = centre.clone(), 0.0 * centre
        pull = 0.3 * (x[i] - centre) if rule == "elastic" and is_meeting else 0.0
        step = -0.1 * x[i]
        x[i], v[i], centre = x[i] - pull + step, v[i] + step, centre + pull
    assert measure(float((ours.state["centre"] - centre).abs().max())) < 1e-12


POINTS = [(workers, rate) for workers in (1, 3, 8) for rate in (0.1, 1.0, 1.9)]


@pytest.mark.parametrize(("workers", "rate"), nightly_but([(3, 1.0)], POINTS))
@pytest.mark.parametrize("share", [0.98, 1.02])
def test_the_round_robin_is_stable_where_the_thesis_says(
    monkeypatch: pytest.MonkeyPatch, workers: int, rate: float, share: float
) -> None:
    moving_rate = share * (4 - 2 * rate) / (4 - rate)
    point = {"workers": workers, "period": 1, "slowness": 0.0, "learning_rate": rate}
    ours = on_the_bowl(monkeypatch, **point, moving_rate=moving_rate)
    for _ in range(2000):
        ours.step(NoStream())
    size = max(float(np.abs(worker).max()) for worker in map(np.asarray, ours.state["workers"]))
    assert (size < 1.0) is (share < 1.0)
