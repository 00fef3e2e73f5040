"""PSGD: factors whose inverse is the root of the second moment, a whitened step, its invariance."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from submissions.psgd.optimizer import Psgd, _fit

SETTINGS: dict[str, Any] = {
    "lr": 0.01, "weight_decay": 0.0, "momentum": 0.0, "preconditioner_rate": 0.1, "damping": 1e-9,
    "update_every": 1, "burst": 0, "clip": 1e9, "max_side": 99, "products": "float64",
}  # fmt: skip


def turned(size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(size, size, generator=generator).double())[0]
    return (turn * torch.linspace(0.5, 2.0, size)) @ turn.mT


def fitted(sides: tuple[int, int], steps: int = 400, **changes: Any) -> tuple[Any, Any]:
    """The state after fitting A N B with N white, A and B symmetric."""
    left, right = turned(sides[0], 1), turned(sides[1], 2)
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
    optimizer, (left, right) = fitted((8, 6), preconditioner_rate=0.02)
    state = optimizer.state[optimizer.param_groups[0]["params"][0]]
    found = torch.kron(state["left_p"], state["right_p"])
    expected = torch.kron(torch.linalg.inv(left), torch.linalg.inv(right))
    assert (found - expected).norm() < 0.2 * expected.norm()


def test_one_fit_is_the_written_gradient_step() -> None:
    weight = torch.nn.Parameter(torch.zeros(5, 4).double())
    optimizer = Psgd([weight], **SETTINGS | {"lr": 0.0})
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    state = optimizer.state[weight]
    for side, size in (("left", 5), ("right", 4)):
        state[side] = turned(size, size)
        state[f"{side}_p"] = state[side] @ state[side]
        state[f"{side}_bound"].fill_(100.0)
    before = state["left"].clone()
    matrix = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).double()
    x = state["left_p"] @ matrix @ state["right_p"]
    state["fits"] = 50
    _fit(state, matrix, optimizer.param_groups[0])
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
