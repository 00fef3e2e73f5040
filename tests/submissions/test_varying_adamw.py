"""AdamW with betas that change: torch.optim's while they do not, weighted means when they do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from submissions.varying_adamw.submission import VaryingAdamW

from .conftest import Measure
from .given_problem import largest_error, torch_optimizer, torch_problem, torch_steps

GRADIENTS = [0.3, -0.2, 0.5, 0.1, -0.4, 0.25]


def test_with_constant_betas_it_is_torch_optims(measure: Measure) -> None:
    problem, other = torch_problem(torch.float64), torch_problem(torch.float64)
    ours = torch_optimizer("varying_adamw", problem, weight_decay=0.1, learning_rate=0.01)
    theirs = torch.optim.AdamW(
        other.parameters.values(), lr=0.01, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1
    )
    assert measure(largest_error(torch_steps(ours, problem), torch_steps(theirs, other))) < 1e-12


def last_step(betas: list[tuple[float, float]]) -> float:
    """How far a number moves in the last of some steps, each with betas of its own."""
    value = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = VaryingAdamW([value], lr=1.0, eps=0.0)
    for gradient, pair in zip(GRADIENTS, betas, strict=True):
        before = float(value.detach())
        optimizer.param_groups[0]["betas"] = pair
        value.grad = torch.full_like(value, gradient)
        optimizer.step()
    return before - float(value.detach())


def weights(betas: list[float]) -> np.ndarray:
    """What an average that starts at 0 gives to each gradient, as fractions of their sum."""
    own = [(1 - beta) * np.prod(betas[i + 1 :]) for i, beta in enumerate(betas)]
    return np.array(own) / sum(own)


def test_with_betas_that_change_both_averages_stay_weighted_means() -> None:
    betas = [(0.9, 0.95)] * 3 + [(0.5, 0.9999)] * 3
    mean = weights([one for one, _ in betas]) @ np.array(GRADIENTS)
    square = weights([two for _, two in betas]) @ np.array(GRADIENTS) ** 2
    assert last_step(betas) == pytest.approx(mean / np.sqrt(square), rel=1e-12)
