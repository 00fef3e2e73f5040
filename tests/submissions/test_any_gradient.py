"""Every optimizer takes parameters in bfloat16, and gradients that come late."""

from __future__ import annotations

import copy
import importlib

import pytest
import torch

from harness.providers.registry import submission_folders

from .given_problem import default_point, gradients, torch_problem

NAMES = [
    name
    for name in submission_folders()
    if hasattr(importlib.import_module(f"submissions.{name}.submission"), "build")
]
LOST_IN_BFLOAT16 = ("prodigy",)
"""Their first steps are 1e-6 long, as in the source: below what moves a number of eight bits."""
ANY_BASIS = {"splus": 0.9}
"""Its first basis is one gradient's, and in that's null space any; its steps are signs there."""
LATE, FIRST_STEPS = "square_2", 4
Values = dict[str, torch.Tensor]


class OptimizerRun:
    """An optimizer at its default point on parameters near zero, where bfloat16 is fine enough."""

    def __init__(self, name: str, dtype: torch.dtype = torch.float32) -> None:
        problem = torch_problem()
        for n, value in problem.parameters.items():
            small = (0.02 * value.detach()).to(dtype)
            problem.parameters[n] = torch.nn.Parameter(small)
        module = importlib.import_module(f"submissions.{name}.submission")
        self.optimizer: torch.optim.Optimizer = module.build(problem, default_point(name))[0]
        self.parameters: Values = problem.parameters
        self.start = self.copy_parameters()

    def copy_parameters(self) -> Values:
        return {n: value.detach().clone() for n, value in self.parameters.items()}

    def steps(self, steps: range, without: str = "") -> OptimizerRun:
        for step in steps:
            for n, gradient in gradients(step).items():
                value = self.parameters[n]
                value.grad = None if n == without else torch.from_numpy(gradient).to(value.dtype)
            self.optimizer.step()
        return self

    def way(self) -> torch.Tensor:
        """From the start to here, (n,), in float32."""
        parts = ((self.parameters[n].detach() - start).float() for n, start in self.start.items())
        return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize("name", [n for n in NAMES if n not in LOST_IN_BFLOAT16])
def test_in_bfloat16_it_goes_where_it_goes_in_float32(name: str) -> None:
    actual = OptimizerRun(name, torch.bfloat16).steps(range(20)).way()
    expected = OptimizerRun(name).steps(range(20)).way()
    cosine = float(torch.cosine_similarity(actual, expected, dim=0))
    assert cosine > ANY_BASIS.get(name, 0.95)
    assert 0.9 < float(actual.norm() / expected.norm()) < 1.1


@pytest.mark.parametrize("name", NAMES)
def test_in_bfloat16_ten_steps_saved_and_ten_are_twenty(name: str) -> None:
    whole = OptimizerRun(name, torch.bfloat16).steps(range(20))
    first = OptimizerRun(name, torch.bfloat16).steps(range(10))
    second = OptimizerRun(name, torch.bfloat16)
    for n, value in first.parameters.items():
        second.parameters[n].data.copy_(value.detach())
    second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
    second.steps(range(10, 20))
    for n, value in whole.copy_parameters().items():
        assert torch.equal(second.parameters[n], value), n


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_stands_still_until_its_first_gradient(name: str) -> None:
    run = OptimizerRun(name).steps(range(FIRST_STEPS), without=LATE)
    assert torch.equal(run.parameters[LATE], run.start[LATE])
    assert not torch.equal(run.parameters["square"], run.start["square"])
    run.steps(range(FIRST_STEPS, 20))
    assert not torch.equal(run.parameters[LATE], run.start[LATE])
    assert bool(torch.isfinite(run.way()).all())
