"""PSGD by the Newton-type criterion: the inverse absolute Hessian, beside the whitening one."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from harness.core.errors import HarnessError, UnknownNameError
from submissions.psgd.newton import NewtonPsgd, precondition
from submissions.psgd.optimizer import Psgd
from tests.frameworks.kit import Kit

from .given_problem import Point, torch_optimizer, torch_problem
from .test_psgd import SETTINGS
from .test_state import TrialRun, assert_resumed

Loss = Callable[[torch.Tensor], torch.Tensor]
NEWTON: Point = {
    "lr": 0.0, "weight_decay": 0.0, "momentum": 0.0, "preconditioner_rate": 0.05, "burst": 10**6,
    "update_every": 1, "clip": 1e9, "max_dim": 99, "max_skew": 1e9,
}  # fmt: skip


def closure(weight: torch.Tensor, loss: Loss) -> Callable[[], torch.Tensor]:
    def evaluate() -> torch.Tensor:
        weight.grad = None
        value = loss(weight)
        value.backward()
        return value

    return evaluate


def fit(weight: torch.Tensor, loss: Loss, **changes: object) -> NewtonPsgd:
    optimizer = NewtonPsgd([weight], **NEWTON | changes)
    for rate in (0.2, 0.02, 0.002):
        optimizer.param_groups[0]["preconditioner_rate"] = rate
        for _ in range(500):
            optimizer.step(closure(weight, loss))
    return optimizer


@pytest.mark.parametrize(("criterion", "ratio"), [("newton", 100.0), ("whitening", 1.0)])
def test_curvatures_of_1_and_100_are_inverted_or_whitened(criterion: str, ratio: float) -> None:
    """Newton's P follows the curvature alone; whitening sees equal gradients as equal."""
    curvature = torch.tensor([1.0, 100.0], dtype=torch.float64)
    weight = torch.nn.Parameter(torch.tensor([1.0, 0.01], dtype=torch.float64))
    if criterion == "newton":
        loss = lambda w: (curvature * w.square()).sum() / 2  # noqa: E731
        optimizer: torch.optim.Optimizer = fit(weight, loss)
    else:
        optimizer = Psgd([weight], **SETTINGS | {"lr": 0.0})
        for _ in range(300):
            weight.grad = curvature * weight.detach()
            optimizer.step()
    state = optimizer.state[weight]
    scales = (state["left"].square() * state["right"].square()).flatten()
    assert float(scales[0] / scales[1]) == pytest.approx(ratio, rel=0.1)


def test_the_factors_are_those_of_the_inverse_hessian() -> None:
    """In closed form: the loss tr(W^T A W B) / 2 has the Hessian B (x) A."""
    generator = torch.Generator().manual_seed(0)
    halves = [torch.randn(n, n, generator=generator).double() for n in (4, 3)]
    a, b = (h @ h.mT / len(h) + 0.5 * torch.eye(len(h)).double() for h in halves)
    weight = torch.nn.Parameter(torch.randn(4, 3, generator=generator).double())
    optimizer = fit(weight, lambda w: (w * (a @ w @ b)).sum() / 2)
    gradient = torch.randn(4, 3, generator=generator).double()
    actual = precondition(optimizer.state[weight], gradient)
    expected = torch.linalg.inv(a) @ gradient @ torch.linalg.inv(b)
    assert float((actual - expected).norm()) < 0.05 * float(expected.norm())
    assert torch.equal(optimizer.state[weight]["left"].tril(-1), torch.zeros(4, 4).double())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_the_second_pass_sees_the_same_randomness_and_leaves_no_trace(device: str) -> None:
    weight, weights = torch.nn.Parameter(torch.ones(3, 3, device=device)), []

    def loss(w: torch.Tensor) -> torch.Tensor:
        weights.append(torch.rand((), device=device))
        return w.square().sum()

    NewtonPsgd([weight], **NEWTON).step(closure(weight, loss))
    assert len(weights) == 2
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weight.detach(), torch.ones_like(weight))


def test_a_trial_learns_and_is_resumed() -> None:
    point = {"criterion": "newton", "learning_rate": 0.3, "burst": 3, "update_every": 4}
    run = TrialRun(Kit("torch"), "psgd", **point)
    losses = [float(run.submission.step(run.stream)) for _ in range(40)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert_resumed(lambda: TrialRun(Kit("torch"), "psgd", **point), 10)


def test_what_cannot_be_is_refused_with_a_reason() -> None:
    with pytest.raises(UnknownNameError, match="whitening"):
        torch_optimizer("psgd", torch_problem(), criterion="whitenin")
    optimizer = torch_optimizer("psgd", torch_problem(), criterion="newton")
    with pytest.raises(HarnessError, match="without a closure"):
        optimizer.step(None)


def test_a_long_dimension_is_diagonal_by_its_skew_and_the_start_whitens() -> None:
    weight = torch.nn.Parameter(torch.zeros(6, 2).double())
    settings = copy.copy(SETTINGS) | {"max_skew": 1.0, "initial_scale": "gradient", "lr": 0.0}
    optimizer = Psgd([weight], **settings | {"burst": 0, "update_every": 10**6})
    weight.grad = torch.full_like(weight, 1e-4)
    optimizer.param_groups[0]["step"] = 1  # so that nothing is fitted
    optimizer.step()
    state = optimizer.state[weight]
    assert (state["left"].ndim, state["right"].ndim) == (1, 2)
    step = state["left_p"][:, None] * (weight.grad @ state["right_p"])
    torch.testing.assert_close(step, torch.ones_like(step))
