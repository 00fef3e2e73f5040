"""Sophia: estimators that are right on average, a clipped step, pytorch-optimizer's update."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from harness.providers.registry import submission_folders
from harness.submission.interface import Batch, Evaluation
from submissions.common.flat import flatten
from submissions.common.methods import FixedLoss, fresh_random
from tests.frameworks.kit import Kit

from .conftest import Measure
from .given_problem import Point, default_point
from .small_problem import DoubleStream, double_kit, submission, values

FOLDERS = submission_folders()
NAMES = ("sophia_g", "sophia_h")


def make(kit: Kit, name: str, **changes: object) -> Any:
    constant = {
        "schedule": "constant",
        "warmup": 0.0,
        "estimate_fraction": 1.0,
        "learning_rate": 0.002,
    }
    return kit.submission(FOLDERS[name], **default_point(name, **{**constant, **changes}))


def diagonal(kit: Kit, batch: Batch[torch.Tensor], name: str, which: str) -> torch.Tensor:
    """The exact diagonal for one parameter: of the Hessian, or of the Gauss-Newton matrix."""
    problem = kit.problem
    live = problem.parameters[name].detach()
    if which == "sophia_h":

        def loss(value: torch.Tensor) -> torch.Tensor:
            evaluation: Evaluation[torch.Tensor] = problem.evaluate({name: value}, batch)
            return evaluation.loss

        hessian: torch.Tensor = torch.autograd.functional.hessian(loss, live)
        return hessian.diagonal()

    def logits(value: torch.Tensor) -> torch.Tensor:
        evaluation: Evaluation[torch.Tensor] = problem.evaluate({name: value}, batch)
        return evaluation.logits

    jacobian = torch.autograd.functional.jacobian(logits, live)
    p = logits(live).softmax(-1)
    inner = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    return torch.einsum("nci,ncd,ndi->i", jacobian, inner, jacobian) / len(p)


@pytest.mark.system
@pytest.mark.parametrize("name", NAMES)
def test_the_estimator_is_the_diagonal_on_average(name: str) -> None:
    kit = Kit("torch")
    ours, batch = make(kit, name), kit.batch()
    place = list(kit.problem.parameters).index("output.bias")
    estimates = torch.stack([ours.inner.estimate(batch)[place] for _ in range(1500)])
    exact = diagonal(kit, batch, "output.bias", name)
    deviation = estimates.std(0) / len(estimates) ** 0.5
    assert ((estimates.mean(0) - exact).abs() < 4 * deviation).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_entry_moves_further_than_the_rate_times_rho(name: str) -> None:
    kit = Kit("torch")
    ours, stream = make(kit, name, weight_decay=0.0, rho=0.5, gamma=1e-6), kit.stream()
    for _ in range(20):
        before = {n: p.detach().clone() for n, p in kit.problem.parameters.items()}
        ours.step(stream)
        displacements = [
            (p - before[n]).detach().abs().max() for n, p in kit.problem.parameters.items()
        ]
        assert max(displacements) <= 0.002 * 0.5 * 1.001


@pytest.mark.parametrize("name", NAMES)
def test_twenty_steps_agree_with_pytorch_optimizer(name: str, measure: Measure) -> None:
    library = pytest.importorskip("pytorch_optimizer")
    kit = Kit("torch")
    ours = make(kit, name, beta1=0.96, gamma=1.0, rho=0.04, weight_decay=0.1)
    weights = [torch.nn.Parameter(p.detach().clone()) for p in kit.problem.parameters.values()]
    settings = {"lr": 0.002, "betas": (0.96, 0.99), "weight_decay": 0.1, "p": 0.04}
    oracle = library.SophiaH(weights, **settings, update_period=10**9)
    estimates, estimate = [], ours.inner.estimate

    def note_estimate(batch: Batch[torch.Tensor]) -> object:
        estimates.append(estimate(batch))
        return estimates[-1]

    ours.inner.estimate = note_estimate
    stream, again = kit.stream(), kit.stream()
    for step in range(20):
        batch = again.next()
        live = dict(zip(kit.problem.parameters, weights, strict=True))
        loss = kit.problem.evaluate(live, batch).loss
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient
        ours.step(stream)
        oracle.step(hessian=estimates.pop() if step % 10 == 0 else None)
    for actual, expected in zip(kit.problem.parameters.values(), weights, strict=True):
        assert measure(float((actual - expected).detach().abs().max())) < 1e-5


def test_the_loop_of_sophia_h_is_its_algorithm_with_the_explicit_hessian(
    measure: Measure,
) -> None:
    """An estimate at every fourth step from half of its batch, and all that follows from it."""
    kit, other = double_kit(), double_kit()
    changes: Point = {"estimate_every": 4, "estimate_fraction": 0.5, "probe": "normal"}
    changes |= {"schedule": "constant", "warmup": 0.0, "learning_rate": 0.01, "weight_decay": 0.1}
    changes["gamma"] = 100.0  # so that clipping leaves some entries
    point = default_point("sophia_h", **changes)
    ours, stream, again = submission("sophia_h", kit, **point), DoubleStream(kit), DoubleStream(kit)
    problem, w = other.problem, values(other)
    m, h, whole = torch.zeros_like(w), torch.zeros_like(w), 0
    for step in range(20):
        batch = again.next()
        if step % 4 == 0:
            empty = [torch.empty_like(value) for value in problem.parameters.values()]
            probe = flatten(value.normal_(generator=problem.generator) for value in empty)
            half = Batch(batch.inputs[:16], batch.targets[:16])
            loss = FixedLoss(problem, half, fresh_random(problem))
            hessian: torch.Tensor = torch.autograd.functional.hessian(loss._loss, w)
            h = point["beta2"] * h + (1 - point["beta2"]) * probe * (hessian @ probe)
        _, g = FixedLoss(problem, batch, torch.Generator())(w)
        m = point["beta1"] * m + (1 - point["beta1"]) * g
        way = m / (point["gamma"] * h).clamp(min=point["epsilon"])
        whole += int((way.abs() < point["rho"]).sum())
        w = (1 - 0.01 * 0.1) * w - 0.01 * way.clamp(-point["rho"], point["rho"])
        ours.step(stream)
    assert measure(float((values(kit) - w).abs().max())) < 1e-10
    assert whole > 0.2 * 20 * len(w)
