"""L-BFGS and the CG-BFGS hybrid: torch.optim's and scipy's sequences, the Wolfe conditions."""

from __future__ import annotations

import math

import pytest
import scipy.sparse.linalg
import torch

from submissions.common.line_search import Loss, Trial, Wolfe
from submissions.common.quasi_newton import cautious_length, scaled_inverse_product

from .conftest import Measure
from .small_problem import DoubleStream, double_kit, submission, values

SIZE, STEPS = 40, 20


def quadratic() -> tuple[torch.Tensor, torch.Tensor, Loss]:
    """A of condition 30 and b, and x^T A x / 2 - b^T x with its gradient."""
    generator = torch.Generator().manual_seed(4)
    basis, _ = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64))
    matrix = (basis * torch.logspace(0, 1.5, SIZE, dtype=torch.float64)) @ basis.mT
    b = torch.randn(SIZE, generator=generator, dtype=torch.float64)

    def loss(x: torch.Tensor) -> tuple[float, torch.Tensor]:
        gradient = matrix @ x - b
        return float(0.5 * x @ (gradient - b)), gradient

    return matrix, b, loss


def test_without_a_search_lbfgs_is_torch_optims(measure: Measure) -> None:
    kit, other = double_kit(), double_kit()
    batch = DoubleStream(kit).next(64)
    live = list(other.problem.parameters.values())
    theirs = torch.optim.LBFGS(
        live, lr=0.5, max_iter=STEPS, history_size=5, tolerance_grad=0.0, tolerance_change=0.0
    )

    def closure() -> torch.Tensor:
        theirs.zero_grad()
        loss: torch.Tensor = other.problem.batch_loss(batch)
        loss.backward()
        return loss

    theirs.step(closure)
    changes = {"line_search": "none", "learning_rate": 0.5, "memory": 5, "iterations": STEPS}
    submission("lbfgs", kit, batch_factor=2, **changes).step(DoubleStream(kit))
    assert measure(float((values(kit) - values(other)).abs().max())) < 1e-9


@pytest.mark.parametrize("memory", [0, 4, 50])
def test_on_a_quadratic_the_hybrid_is_conjugate_gradients(memory: int, measure: Measure) -> None:
    matrix, b, loss = quadratic()
    exact = {"memory": memory, "curvature": 1e-7, "evaluations": 30}
    ours, start = submission("cg_bfgs", double_kit(), **exact), torch.zeros_like(b)
    for steps in (3, 10, STEPS):
        ours.begin()
        _, end = ours.minimise(loss, start, steps)
        theirs, _ = scipy.sparse.linalg.cg(matrix.numpy(), b.numpy(), maxiter=steps, rtol=0.0)
        assert measure(float((end - torch.from_numpy(theirs)).abs().max())) < 1e-6


def test_the_hybrid_ends_on_a_quadratic_after_as_many_steps_as_unknowns() -> None:
    matrix, b, loss = quadratic()
    ours = submission("cg_bfgs", double_kit(), memory=4, curvature=1e-7, evaluations=30)
    _, end = ours.minimise(loss, torch.zeros_like(b), SIZE)
    assert float((matrix @ end - b).norm()) < 1e-6 * float(b.norm())


def test_powells_criterion_starts_a_new_cycle() -> None:
    ours = submission("cg_bfgs", double_kit(), memory=1)
    before, after = torch.eye(2, 3, dtype=torch.float64)
    end = Trial(1.0, 0.0, 0.0, after)
    ours.learn(after - before, before, end)
    ours.learn(2.0 * (after - before), before, end)
    # The one stored pair is full; H = I here. Orthogonal gradients go on, parallel ones do not.
    ours.direction(after)
    assert torch.equal(ours.state["steps"][0], after - before)
    ours.direction(after + 0.5 * before)
    assert torch.equal(ours.state["steps"][0], 2.0 * (after - before))


def test_a_failed_search_along_a_conjugate_direction_is_followed_by_the_gradient() -> None:
    ours, (matrix, b, loss) = submission("cg_bfgs", double_kit(), memory=0), quadratic()
    tried: list[torch.Tensor] = []
    exact = float(b @ b / (b @ matrix @ b))

    def take(_: Loss, __: torch.Tensor, direction: torch.Tensor, *rest: float) -> Trial:
        tried.append(direction)
        length = 0.0 if len(tried) > 1 else exact
        value, gradient = loss(length * direction)
        return Trial(length, value, float(gradient @ direction), gradient)

    ours.take = take
    ours.minimise(loss, torch.zeros_like(b), 3)
    gradient = loss(exact * b)[1]
    assert float(tried[1] @ matrix @ b) == pytest.approx(0.0, abs=1e-9)
    torch.testing.assert_close(tried[2], -gradient)


def test_where_there_is_no_gradient_the_first_length_is_one() -> None:
    assert cautious_length(torch.zeros(3)) == 1.0
    assert cautious_length(torch.full((4,), 0.5)) == 0.5


def test_the_product_is_that_of_the_explicit_matrix() -> None:
    torch.manual_seed(1)
    steps, noise = torch.randn(2, 5, 12, dtype=torch.float64)
    changes, identity = steps + 0.3 * noise, torch.eye(12, dtype=torch.float64)
    matrix = 0.7 * identity
    for s, y in zip(steps, changes, strict=True):
        left = identity - torch.outer(s, y) / (s @ y)
        matrix = left @ matrix @ left.mT + torch.outer(s, s) / (s @ y)
    v = torch.randn(12, dtype=torch.float64)
    actual = scaled_inverse_product(steps, changes, v, 0.7)
    torch.testing.assert_close(actual, matrix @ v)


FUNCTIONS = {
    "quartic": lambda x: (x - 3.0) ** 4 - 2.0 * x,
    "rational": lambda x: -x / (x * x + 2.0),
    "wavy": lambda x: 0.1 * x * x - 3.0 * x + 0.3 * torch.sin(8.0 * x),
    "steep": lambda x: torch.exp(20.0 * (x - 1.0)) - x,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 50.0])
@pytest.mark.parametrize("c2", [0.1, 0.9])
def test_lengths_fulfil_the_strong_wolfe_conditions(name: str, first: float, c2: float) -> None:
    def loss(x: torch.Tensor) -> tuple[float, torch.Tensor]:
        x = x.detach().requires_grad_()
        value = FUNCTIONS[name](x).sum()
        (gradient,) = torch.autograd.grad(value, x)
        return value.item(), gradient

    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    value, gradient = loss(zero)
    start = Trial(0.0, value, gradient.item(), gradient)
    end = Wolfe(1e-4, c2, 40).search(loss, zero, one, start, first)
    assert end.length > 0.0
    assert end.value <= value + 1e-4 * end.length * start.slope
    assert abs(end.slope) <= c2 * abs(start.slope)


def test_a_search_that_finds_nothing_lower_stays() -> None:
    def rising(x: torch.Tensor) -> tuple[float, torch.Tensor]:
        return (math.inf if x.item() > 0 else 0.0), -torch.ones(1)

    start = Trial(0.0, 0.0, -1.0, -torch.ones(1))
    assert Wolfe().search(rising, torch.zeros(1), torch.ones(1), start, 1.0).length == 0.0
