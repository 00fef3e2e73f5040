"""PSGD: a float64 textbook's sequence, factors that whiten, a step that scale does not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from submissions.psgd.factors import fit
from submissions.psgd.optimizer import Psgd

from .conftest import Measure
from .given_problem import Array, Point, largest_error, textbook_steps, torch_problem, torch_steps

SETTINGS: Point = {
    "lr": 0.01, "weight_decay": 0.0, "momentum": 0.0, "preconditioner_rate": 0.1, "damping": 1e-9,
    "update_every": 1, "burst": 0, "clip": 1e9, "max_dim": 99, "matmul_dtype": "float64",
    "max_skew": 1e9, "initial_scale": "one",
}  # fmt: skip


def length(matrix: Array, is_symmetric: bool = True) -> float:
    """Two power steps from the longest row: from below, the largest singular value."""
    row = matrix[(matrix**2).sum(1).argmax()]
    for _ in range(2):
        row = row / np.linalg.norm(row)
        row = row @ matrix if is_symmetric else matrix.T @ (matrix @ row)
    size = float(np.linalg.norm(row))
    return size if is_symmetric else size**0.5


def symmetric(q: Array) -> Array:
    """exp(a S) Q to second order, a the best for the trace, at most 1/8; S skew."""
    skew = q.T - q
    if not skew.any():
        return q
    first = skew / length(skew, False) @ q
    second = skew / length(skew, False) @ first
    bend = np.trace(second)
    a = min(-np.trace(first) / bend, 1 / 8) if bend < 0 else 1 / 8
    return q + a * first + a**2 / 2 * second


class Textbook:
    """One parameter's factors, a side too long or a vector's as the diagonal of a matrix."""

    def __init__(self, shape: tuple[int, ...], settings: Point) -> None:
        self.settings, self.fits, self.m, self.bounds = settings, 0, 0.0, [0.0, 0.0]
        sides = shape if len(shape) > 1 else (1, *shape)
        self.dense = [len(shape) > 1 and n <= settings["max_dim"] for n in sides]
        self.q = [np.eye(n) for n in sides]

    def whiten(self, m: Array) -> Array:
        return self.q[0].T @ self.q[0] @ m @ self.q[1].T @ self.q[1]

    def fit(self, m: Array) -> None:
        """Q <- Q - (mu / l) (X X^T + damping - c I) Q, each side from the same X."""
        self.fits += 1
        rate = max(self.settings["preconditioner_rate"], 0.5 / self.fits)
        x, p = self.whiten(m), [q.T @ q for q in self.q]
        for i in range(2):
            side, other = (x, x.T)[i], x.shape[1 - i]
            gram = (
                side @ side.T + self.settings["damping"] ** 2 * (p[1 - i] ** 2).sum() * p[i] @ p[i]
            )
            gram = gram if self.dense[i] else np.diag(np.diag(gram))
            now = (length(gram) if self.dense[i] else gram.max()) + other
            self.bounds[i] = max(0.9 * self.bounds[i] + 0.1 * now, now)
            q = self.q[i] - rate / self.bounds[i] * (gram - other * np.eye(len(gram))) @ self.q[i]
            self.q[i] = symmetric(q) if self.dense[i] else q

    def step(self, t: int, w: Array, g: Array, is_due: bool) -> Array:
        beta, rate = self.settings["momentum"], self.settings["lr"]
        self.m = beta * self.m + (1 - beta) * (g if g.ndim > 1 else g[None])
        m = self.m / (1 - beta**t)
        if is_due:
            self.fit(m)
        step = self.whiten(m)
        step = step * min(1.0, self.settings["clip"] / np.sqrt((step**2).mean()))
        after: Array = (1 - rate * self.settings["weight_decay"]) * w - rate * step.reshape(w.shape)
        return after


@pytest.mark.parametrize(("burst", "every"), [(99, 1), (6, 3)])
def test_twenty_steps_are_those_of_the_textbook(burst: int, every: int, measure: Measure) -> None:
    """Fitted at every step, or after a burst each in its turn; a dense side, a long one, a bias."""
    changes = {"momentum": 0.9, "weight_decay": 0.1, "clip": 2.0, "damping": 1e-3, "max_dim": 24}
    settings = {**SETTINGS, **changes, "burst": burst, "update_every": every}
    names, problem = ["square", "tall", "bias"], torch_problem()
    live = {n: torch.nn.Parameter(problem.parameters[n].detach().double()) for n in names}
    problem.parameters.update(live)
    books = {n: Textbook(tuple(value.shape), settings) for n, value in live.items()}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        if name not in books:
            return w
        turn = (t - 1 - names.index(name) * every // 3) % every == 0
        return books[name].step(t, w, g, t <= burst or turn)

    actual = torch_steps(Psgd(live.values(), **settings), problem)
    expected = textbook_steps(update)
    assert measure(largest_error({n: expected[n] for n in names}, actual)) < 1e-9


def draw_rotation(size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    basis: torch.Tensor = torch.linalg.qr(torch.randn(size, size, generator=generator).double())[0]
    return (basis * torch.linspace(0.5, 2.0, size)) @ basis.mT


def fit_sides(sides: tuple[int, int], steps: int = 400, **changes: object) -> tuple[Any, Any]:
    """The state after fitting A N B with N white, A and B symmetric."""
    left, right = draw_rotation(sides[0], 1), draw_rotation(sides[1], 2)
    weight = torch.nn.Parameter(torch.zeros(sides).double())
    optimizer = Psgd([weight], **SETTINGS | changes)
    generator = torch.Generator().manual_seed(3)
    for _ in range(steps):
        noise = torch.randn(sides, generator=generator).double()
        weight.grad = left @ noise @ right
        optimizer.step()
    return optimizer, (left, right)


def test_the_preconditioner_is_the_inverse_root_of_the_second_moment() -> None:
    """In closed form: E[g g^T] = A^2 (x) B^2, so that P = A^-1 (x) B^-1."""
    optimizer, (left, right) = fit_sides((8, 6), preconditioner_rate=0.02)
    state = optimizer.state[optimizer.param_groups[0]["params"][0]]
    actual = torch.kron(state["left_p"], state["right_p"])
    expected = torch.kron(torch.linalg.inv(left), torch.linalg.inv(right))
    assert (actual - expected).norm() < 0.2 * expected.norm()


def test_one_fit_is_the_written_gradient_step() -> None:
    weight = torch.nn.Parameter(torch.zeros(5, 4).double())
    optimizer = Psgd([weight], **SETTINGS | {"lr": 0.0})
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    state = optimizer.state[weight]
    for side, size in (("left", 5), ("right", 4)):
        state[side] = draw_rotation(size, size)
        state[f"{side}_p"] = state[side] @ state[side]
        state[f"{side}_bound"].fill_(100.0)
    before = state["left"].clone()
    matrix = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double()
    x = state["left_p"] @ matrix @ state["right_p"]
    state["fits"] = 50
    fit([state], matrix[None], optimizer.param_groups[0])
    q = before - 0.1 / state["left_bound"] * ((x @ x.mT - 4 * torch.eye(5)) @ before)
    # The rotation that makes Q symmetric leaves Q^T Q, up to third order, as it is.
    torch.testing.assert_close(state["left_p"], q.mT @ q, rtol=0.0, atol=2e-3)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_steps_do_not_depend_on_the_scale_of_the_gradients(scale: float) -> None:
    sizes = []
    for factor in (1.0, scale):
        weight = torch.nn.Parameter(torch.zeros(6, 6).double())
        optimizer = Psgd([weight], **SETTINGS)
        generator = torch.Generator().manual_seed(4)
        for _ in range(400):
            before = weight.detach().clone()
            weight.grad = factor * torch.randn(6, 6, generator=generator).double()
            optimizer.step()
        sizes.append(float((weight.detach() - before).norm()))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.25)


@pytest.mark.parametrize("idle_steps", [1, 30])
def test_a_layer_whose_gradient_is_zero_at_first_trains_later(idle_steps: int) -> None:
    """As the layers before a norm whose gain starts at zero; one of the failure probes."""
    weight = torch.nn.Parameter(torch.zeros(16, 64))
    settings = {"damping": 1e-7, "clip": 2.0, "matmul_dtype": "auto", "initial_scale": "gradient"}
    optimizer = Psgd([weight], **SETTINGS | settings)
    generator = torch.Generator().manual_seed(0)
    for step in range(idle_steps + 350):
        noise = torch.randn(16, 64, generator=generator)
        weight.grad = torch.zeros_like(weight) if step < idle_steps else 0.01 * noise
        before = weight.detach().clone()
        optimizer.step()
    size = float((weight.detach() - before).square().mean().sqrt()) / 0.01
    assert 0.5 < size < 1.5
