"""SPlus: pytorch-optimizer's sequence and average, a bounded step, the thesis's normalisation."""

from __future__ import annotations

import pytest
import torch

from submissions.splus.optimizer import SPlus

from .conftest import Measure
from .given_problem import Point, gradients, torch_problem, torch_steps

SIZE = 16


def draw_conditioned(step: int) -> torch.Tensor:
    """A square gradient with singular values from 1 to 3: eigenvectors are sure in float32."""
    generator = torch.Generator().manual_seed(step)
    turns: torch.Tensor = torch.linalg.qr(torch.randn(2, SIZE, SIZE, generator=generator).double())[
        0
    ]
    left, right = turns[0], turns[1]
    return (left * torch.linspace(1.0, 3.0, SIZE, dtype=torch.float64)) @ right.mT


def steps(optimizer: torch.optim.Optimizer, weights: list[torch.nn.Parameter]) -> None:
    for step in range(20):
        weights[0].grad, weights[1].grad = draw_conditioned(step), draw_conditioned(step)[0]
        optimizer.step()


def weights() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(value) for value in (draw_conditioned(99), draw_conditioned(99)[1])]


def test_agrees_with_pytorch_optimizer(measure: Measure) -> None:
    library = pytest.importorskip("pytorch_optimizer")
    mine, theirs = weights(), weights()
    settings: Point = {"lr": 0.1, "betas": (0.9, 0.99), "weight_decay": 0.1}
    ours = SPlus(
        mine,
        **settings, average_beta=0.9, vector_scale=0.01, refresh_every=1, matmul_dtype="float64",
    )  # fmt: skip
    oracle = library.SPlus(
        theirs,
        **settings, ema_rate=0.9, nonstandard_constant=0.01, inverse_steps=1, eps=0.0,
    )  # fmt: skip
    steps(ours, mine)
    steps(oracle, theirs)
    for actual, expected in zip(mine, theirs, strict=True):
        # The library's eigenvectors are float32's.
        assert measure(float((actual - expected).detach().abs().max())) < 1e-4


@pytest.mark.parametrize("shape", [(SIZE, 4), (SIZE, SIZE)])
def test_a_dimension_without_a_basis_gives_the_rate_of_pytorch_optimizers(
    shape: tuple[int, int],
) -> None:
    library = pytest.importorskip("pytorch_optimizer")
    mine, theirs = (
        torch.nn.Parameter(draw_conditioned(99)[:, : shape[1]].clone()) for _ in range(2)
    )
    settings: Point = {"lr": 0.1, "betas": (0.9, 0.99), "max_dim": 8}
    ours = SPlus([mine], **settings, vector_scale=0.01, refresh_every=1, matmul_dtype="float64")
    oracle = library.SPlus([theirs], **settings, nonstandard_constant=0.01, inverse_steps=1)
    for step in range(20):
        mine.grad = theirs.grad = draw_conditioned(step)[:, : shape[1]].clone()
        ours.step()
        oracle.step()
    torch.testing.assert_close(mine, theirs, rtol=0.0, atol=1e-4)


def test_every_matrix_has_its_bases_after_its_first_step() -> None:
    problem = torch_problem()
    ours = SPlus(problem.parameters.values(), lr=0.1, refresh_every=50)
    matrices = [p for p in problem.parameters.values() if p.ndim > 1]
    for step, live in enumerate((matrices[1:], matrices)):
        for value in live:
            value.grad = torch.full_like(value, 1.0 + step)
        ours.step()
        with_bases = [p for p in matrices if "left_basis" in ours.state[p]]
        assert len(with_bases) == len(live)


def test_a_step_is_bounded_whatever_the_gradient() -> None:
    problem = torch_problem()
    ours = SPlus([problem.parameters["square"]], lr=1.0, weight_decay=0.0, matmul_dtype="float32")
    before = problem.parameters["square"].detach().clone()
    for step in range(20):
        problem.parameters["square"].grad = 1e6 * torch.from_numpy(gradients(step)["square"])
        ours.step()
        after = problem.parameters["square"].detach().clone()
        assert torch.linalg.matrix_norm(after - before) == pytest.approx(24 * 2 / 48, rel=1e-3)
        before = after


def test_evaluation_sees_the_corrected_average_and_leaves_no_trace() -> None:
    problem = torch_problem()
    ours = SPlus(problem.parameters.values(), lr=0.1, weight_decay=0.0, average_beta=0.5)
    values, weights = [], [0.5 ** (3 - t) for t in range(3)]
    for t in range(3):
        torch_steps(ours, problem, range(t, t + 1))
        values.append(problem.parameters["tall"].detach().clone())
    mean = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    ours.eval()
    torch.testing.assert_close(problem.parameters["tall"].detach(), mean)
    ours.train()
    assert torch.equal(problem.parameters["tall"].detach(), values[-1])


def test_the_thesis_divides_by_the_frobenius_norm() -> None:
    problem = torch_problem()
    before = problem.parameters["tall"].detach().clone()
    ours = SPlus(problem.parameters.values(), lr=0.1, weight_decay=0.0, form="thesis")
    torch_steps(ours, problem, range(1))
    gradient = torch.from_numpy(gradients(0)["tall"])
    expected = before - 0.1 * (40 / 12) ** 0.5 * gradient / gradient.norm()
    torch.testing.assert_close(problem.parameters["tall"].detach(), expected)
