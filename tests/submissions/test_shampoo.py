"""Shampoo: the polar factor, a float64 textbook over twenty steps, the delayed start."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import pytorch_optimizer
import torch

from harness.core.errors import HarnessError
from submissions.common.inverse_roots import coupled_newton, inverse_root
from submissions.shampoo.optimizer import Shampoo, blocks

from .conftest import Measure
from .given_problem import (
    SHAPES,
    Array,
    Point,
    gradients,
    largest_error,
    textbook_steps,
    torch_problem,
    torch_steps,
)

MATRICES = [name for name, (shape, _) in SHAPES.items() if len(shape) > 1]
SETTINGS: Point = {
    "lr": 0.01, "weight_decay": 0.1, "beta1": 0.9, "beta2": 0.95, "damping": 1e-2,
    "matmul_dtype": "float32",
    "graft_beta2": 0.9,
}  # fmt: skip


def root(matrix: Array, power: float, damping: float) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    result: Array = (vectors * (values + damping * values.max()) ** -power) @ vectors.T
    return result


def textbook(period: int, start: int, graft: str, max_dim: int) -> dict[str, Array]:
    """Float64, one matrix at a time; factor j of n is refreshed at start + j period / n."""
    states: dict[str, dict[object, Any]] = {}
    sides = [(n, s) for n in MATRICES for s in (0, 1) if _matrix(n).shape[s] <= max_dim]
    offsets = {pair: place * period // len(sides) for place, pair in enumerate(sides)}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        if name not in MATRICES:
            return w
        g = g.reshape(len(g), -1)
        state = states.setdefault(name, {"m": 0.0, "v": 0.0, 0: 0.0, 1: 0.0})
        state["m"] = 0.9 * state["m"] + 0.1 * g
        state["v"] = 0.9 * state["v"] + 0.1 * g**2
        m = state["m"] / (1 - 0.9**t)
        own = [side for side in (0, 1) if (name, side) in offsets]
        for side in own:
            state[side] = 0.95 * state[side] + 0.05 * (g @ g.T if side == 0 else g.T @ g)
            since = t - start - offsets[name, side]
            if since >= 0 and since % period == 0:
                state["root", side] = root(state[side] / (1 - 0.95**t), 0.5 / len(own), 1e-2)
        q = m / (np.sqrt(state["v"] / (1 - 0.9**t)) + 1e-8) if graft == "adam" else m
        p = q
        if own and all(("root", side) in state for side in own):
            p = state.get(("root", 0), np.eye(len(m))) @ m
            p = p @ state.get(("root", 1), np.eye(m.shape[1]))
            p = p if graft == "none" else p * np.linalg.norm(q) / np.linalg.norm(p)
        after: Array = (1 - 0.001) * w - 0.01 * p.reshape(w.shape)
        return after

    return {name: value for name, value in textbook_steps(update).items() if name in MATRICES}


def _matrix(name: str) -> npt.NDArray[np.float32]:
    matrix: npt.NDArray[np.float32] = gradients(0)[name].reshape(SHAPES[name][0][0], -1)
    return matrix


@pytest.mark.parametrize(
    ("period", "start", "graft", "max_dim"),
    [
        (1, 1, "adam", 99),
        (4, 3, "adam", 99),
        (4, 1, "sgd", 99),
        (3, 1, "none", 99),
        (4, 2, "sgd", 24),
    ],
)
def test_agrees_with_the_textbook(
    period: int, start: int, graft: str, max_dim: int, measure: Measure
) -> None:
    problem = torch_problem()
    parameters = [problem.parameters[name] for name in MATRICES]
    shampoo = Shampoo(
        parameters, **SETTINGS, refresh_every=period, start=start, graft=graft, max_dim=max_dim
    )
    ours = torch_steps(shampoo, problem)
    assert measure(largest_error(textbook(period, start, graft, max_dim), ours)) < 2e-5


def test_summed_and_ungrafted_it_is_pytorch_optimizers(measure: Measure) -> None:
    start = torch.from_numpy(gradients(99)["tall"]).double()
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    settings: Point = {
        "beta1": 0.0,
        "beta2": 1.0,
        "graft": "none",
        "damping": 1e-9,
        "refresh_every": 1,
    }
    shampoo = Shampoo([ours], lr=0.01, matmul_dtype="float64", **settings)
    other = pytorch_optimizer.Shampoo([theirs], lr=0.01, matrix_eps=1e-9)
    for step in range(20):
        for weight, optimizer in ((ours, shampoo), (theirs, other)):
            weight.grad = torch.from_numpy(gradients(step)["tall"]).double()
            optimizer.step()
    assert measure(float((ours - theirs).detach().abs().max())) < 1e-8


@pytest.mark.parametrize("name", ["square", "tall", "kernel", "output"])
@pytest.mark.parametrize("max_dim", [99, 24])
def test_without_accumulation_the_step_is_the_polar_factor(name: str, max_dim: int) -> None:
    gradient = torch.from_numpy(gradients(0)[name]).double()
    weight = torch.nn.Parameter(torch.zeros_like(gradient))
    weight.grad = gradient
    settings: Point = {
        "beta1": 0.0,
        "beta2": 0.0,
        "damping": 1e-14,
        "refresh_every": 1,
        "graft": "none",
    }
    settings |= {"matmul_dtype": "float32"}
    Shampoo([weight], lr=1.0, max_dim=max_dim, **settings).step()
    left, _, right = torch.linalg.svd(gradient.flatten(1), full_matrices=False)
    step = weight.detach().flatten(1)
    torch.testing.assert_close(step, -left @ right, atol=2e-3, rtol=0.0)


def test_until_the_first_roots_the_step_is_the_grafted_methods() -> None:
    problem, adam_problem = torch_problem(), torch_problem()
    settings: Point = {"lr": 0.01, "weight_decay": 0.1}
    parameters = [problem.parameters[name] for name in MATRICES]
    shampoo = Shampoo(parameters, start=21, graft_beta2=0.99, **settings)
    adam = torch.optim.AdamW(
        [adam_problem.parameters[name] for name in MATRICES], betas=(0.9, 0.99), **settings
    )
    assert largest_error(torch_steps(shampoo, problem), torch_steps(adam, adam_problem)) < 1e-6


def test_a_root_of_something_not_finite_is_not_finite() -> None:
    root = inverse_root(torch.full((3, 3), torch.nan), 0.25, 1e-6)
    assert root is not None
    assert not root.isfinite().any()


def test_a_root_of_zero_is_finite() -> None:
    root = inverse_root(torch.zeros(3, 3), 0.25, 1e-6)
    assert root is not None
    assert root.isfinite().all()


def test_blocks_are_preconditioned_as_if_they_were_parameters() -> None:
    whole = torch.nn.Parameter(torch.from_numpy(gradients(50)["square"].copy()))
    cut = [torch.nn.Parameter(b.clone()) for b in blocks(whole.detach(), 16)]
    settings: Point = SETTINGS | {"refresh_every": 1}
    ours, apart = Shampoo([whole], **settings, block_side=16), Shampoo(cut, **settings)
    for step in range(20):
        whole.grad = torch.from_numpy(gradients(step)["square"].copy())
        for block, part in zip(cut, blocks(whole.grad, 16), strict=True):
            block.grad = part.clone()
        ours.step()
        apart.step()
    for block, part in zip(cut, blocks(whole.detach(), 16), strict=True):
        torch.testing.assert_close(block.detach(), part)


@pytest.mark.parametrize("order", [1, 2, 4, 6])
@pytest.mark.parametrize("rank", [5, 40])
def test_coupled_newton_gives_the_same_roots(order: int, rank: int) -> None:
    half = torch.randn(40, rank, generator=torch.Generator().manual_seed(0))
    matrix = 1e-3 * half @ half.T
    exact = inverse_root(matrix.double(), 1 / order, 1e-4)
    assert exact is not None
    assert (coupled_newton(matrix, 1 / order, 1e-4) - exact).norm() / exact.norm() < 2e-3


def test_coupled_newton_refuses_other_powers() -> None:
    with pytest.raises(HarnessError, match=r"power 0\.3"):
        coupled_newton(torch.eye(3), 0.3, 1e-6)


def test_shampoo_by_coupled_newton_goes_the_same_way() -> None:
    ways = []
    for roots in ("eigen", "newton"):
        problem = torch_problem()
        parameters = [problem.parameters[name] for name in MATRICES]
        shampoo = Shampoo(parameters, **SETTINGS, refresh_every=2, roots=roots)
        ways.append(torch_steps(shampoo, problem))
    assert largest_error(*ways) < 1e-3
