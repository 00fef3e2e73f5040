"""The state in docs/ALGORITHMS.md: floats kept, over the parameters of `mlp` in `quick`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import torch

from harness.providers.registry import submission_folders
from harness.submission.space import read_space
from tests.tiers import nightly_but

from .given_problem import default_point
from .workload_models import WorkloadKit

STATED = tomllib.loads((Path(__file__).parents[2] / "docs" / "algorithms.toml").read_text())
STEPS = 24
"""Enough for every factor's first refresh, and for the memory of L-BFGS to be full."""


def floats(state: object) -> int:
    if isinstance(state, torch.Tensor):
        return state.numel() if state.is_floating_point() else 0
    if isinstance(state, dict):
        return sum(floats(value) for value in state.values())
    return sum(floats(value) for value in state) if isinstance(state, list) else 0


def test_every_submission_is_measured() -> None:
    assert STATED.keys() == submission_folders().keys()


MEASURED = [
    name
    for name, folder in submission_folders().items()
    if "quick/mlp" not in read_space(folder / "space.toml").refused
]
"""All but those for small models alone."""


@pytest.mark.parametrize("name", nightly_but(["adamw", "shampoo", "kfac"], MEASURED))
def test_the_state_of_a_parameter_is_as_stated(name: str) -> None:
    kit = WorkloadKit("torch", name="mlp")
    submission, stream = (
        kit.submission(submission_folders()[name], **default_point(name)),
        kit.stream(),
    )
    most = 0
    for _ in range(STEPS):
        submission.step(stream)
        tensors = {
            part: value for part, value in submission.state_dict().items() if part != "parameters"
        }
        most = max(most, floats(tensors))
    stated = STATED[name]["state"]
    ratio = most / sum(value.numel() for value in kit.problem.parameters.values())
    assert ratio <= 1.02 * stated + 0.06
    assert STATED[name].get("state_is_most") or ratio >= 0.98 * stated - 0.06
