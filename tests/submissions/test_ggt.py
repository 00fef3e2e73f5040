"""GGT: the dense matrix root over twenty steps, and an early step of full-matrix AdaGrad."""

from __future__ import annotations

import pytest
import torch

from submissions.ggt.submission import Ggt

from .conftest import Measure
from .given_problem import Point

SIZE = 12


def gradient(step: int) -> torch.Tensor:
    return torch.randn(SIZE, generator=torch.Generator().manual_seed(step)).double()


@pytest.mark.parametrize("outside", [1.0, 0.0])
@pytest.mark.parametrize("window", [5, 20])
def test_twenty_steps_agree_with_the_dense_root(
    window: int, outside: float, measure: Measure
) -> None:
    """Float64 and the n x n matrix; past n gradients the window spans everything."""
    weights = [torch.nn.Parameter(torch.zeros(3, 2).double()) for _ in range(2)]
    settings: Point = {"lr": 0.1, "weight_decay": 0.01, "betas": (0.9, 0.95)}
    ours = Ggt(weights, **settings, eps=0.3, outside=outside, window=window)
    w, m = torch.zeros(SIZE).double(), torch.zeros(SIZE).double()
    recent: list[torch.Tensor] = []
    for t in range(1, 21):
        g = gradient(t)
        weights[0].grad, weights[1].grad = g[:6].view(3, 2), g[6:].view(3, 2)
        ours.step()
        m = 0.9 * m + 0.1 * g
        recent = [g, *(0.95 * old for old in recent)][:window]
        second = sum(torch.outer(old, old) for old in recent)
        values, vectors = torch.linalg.eigh(second)
        nonzero = values > 1e-8 * values[-1]
        sizes = values.clamp(min=0.0).sqrt()
        epsilon = 0.3 * (values[nonzero].sum() / nonzero.sum()).sqrt()
        inverse = torch.where(nonzero, 1 / (sizes + epsilon), outside / epsilon)
        step = vectors @ (inverse * (vectors.mT @ (m / (1 - 0.9**t))))
        w = (1 - 0.001) * w - 0.1 * step
        actual = torch.cat([weight.detach().flatten() for weight in weights])
        assert measure(float((actual - w).abs().max())) < 1e-8


def test_a_first_step_without_the_outside_has_the_length_of_the_rate() -> None:
    weight = torch.nn.Parameter(torch.zeros(SIZE).double())
    ours = Ggt(
        [weight], lr=0.1, weight_decay=0.0, betas=(0.0, 1.0), eps=1e-9, outside=0.0, window=3
    )
    weight.grad = 1e3 * gradient(0)
    ours.step()
    torch.testing.assert_close(weight.detach(), -0.1 * gradient(0) / gradient(0).norm())


def test_gradients_of_zero_move_nothing() -> None:
    weight = torch.nn.Parameter(torch.ones(SIZE))
    ours = Ggt([weight], lr=0.1, weight_decay=0.0, betas=(0.9, 1.0), eps=0.3, outside=1.0, window=3)
    weight.grad = torch.zeros(SIZE)
    ours.step()
    assert bool((weight == 1.0).all())
