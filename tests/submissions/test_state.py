"""State: ten steps, save, load into a new optimizer, ten more are twenty steps, bit for bit."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from given_problem import Given, torch_optimizer, torch_problem, torch_steps

from harness.registry import submission_folders

TORCH = tuple(n for n, f in submission_folders().items() if (f / "submission.py").exists())


def reloaded(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("name", TORCH)
def test_twenty_steps_are_ten_saved_and_ten(name: str) -> None:
    whole, first = torch_problem(), torch_problem()
    expected = torch_steps(torch_optimizer(name, whole), whole)
    optimizer = torch_optimizer(name, first)
    torch_steps(optimizer, first, range(10))
    second = Given(
        {n: torch.nn.Parameter(p.clone()) for n, p in first.parameters.items()}, first.specs
    )
    resumed = torch_optimizer(name, second)
    resumed.load_state_dict(reloaded(optimizer.state_dict()))
    found = torch_steps(resumed, second, range(10, 20))
    for parameter in expected:
        np.testing.assert_array_equal(found[parameter], expected[parameter])
