"""Groups, shapes, rates, modes and layouts: what torch.optim does, or a refusal with a reason."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from harness.core.errors import HarnessError
from submissions.adamc.submission import AdamC
from submissions.adams.submission import AdamS
from submissions.modular_norm.submission import ModularNorm
from submissions.muon.submission import Muon
from submissions.spectral_descent.submission import SpectralDescent
from tests.tiers import nightly_but
from workloads.parameters import Init, ParameterSpec, Role

from .given_problem import (
    NAMES,
    BareProblem,
    Point,
    default_point,
    draw,
    gradients,
    largest_error,
    specs,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

AVERAGED = ("dual_averaging", "mda")
AVERAGING = ("schedule_free_adamw", "schedule_free_sgd", "splus")
REFUSE_GROUPS = (
    "adams", "adamuon", "caspr", "eshampoo", "kl_shampoo", "kl_soap", "mars", "modular_norm",
    "muon", "muown", "normuon", "scion", "shampoo", "soap", "soap_muon",
)  # fmt: skip


def small(*shape: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(shape))


@pytest.mark.parametrize("name", NAMES)
def test_an_added_group_is_trained_or_refused_with_a_reason(name: str) -> None:
    problem, added = torch_problem(), small(5, 4)
    optimizer = torch_optimizer(name, problem)
    torch_steps(optimizer, problem, range(2))
    if name in REFUSE_GROUPS:
        with pytest.raises(HarnessError, match="group"):
            optimizer.add_param_group({"params": [added]})
        return
    optimizer.add_param_group({"params": [added]})
    for step in range(2, 20):
        added.grad = torch.from_numpy(gradients(step)["tall"][:5, :4].copy())
        torch_steps(optimizer, problem, range(step, step + 1))
    assert bool((added.detach() != 1.0).any())
    assert bool(torch.isfinite(added).all())


def test_the_corrected_decay_of_an_added_group_follows_its_own_peak() -> None:
    first, added = small(2, 2), small(2, 2)
    optimizer = AdamC([{"params": [first]}], lr=1.0, weight_decay=0.1)
    optimizer.add_param_group({"params": [added], "lr": 0.5, "is_normalised": True})
    optimizer.param_groups[1]["lr"] = 0.25
    added.grad = torch.zeros_like(added)
    optimizer.step()
    torch.testing.assert_close(added.detach(), torch.full((2, 2), 1 - 0.25 * 0.1 * 0.5))


def test_muon_takes_a_group_of_its_own() -> None:
    first, added = small(4, 4), small(3, 5)
    optimizer = Muon([first], lr=0.1)
    optimizer.add_param_group({"params": [added]})
    added.grad = torch.from_numpy(gradients(0)["tall"][:3, :5].copy())
    optimizer.step()
    assert bool((added.detach() != 1.0).all())


def with_empty(shape: tuple[int, ...], role: Role) -> BareProblem:
    """The given problem with a parameter without entries."""
    problem = torch_problem()
    spec = ParameterSpec("empty", shape, role, 1, 1, Init("normal", 1.0))
    values = {**problem.parameters, "empty": torch.nn.Parameter(torch.zeros(shape))}
    return BareProblem(values, {**specs(), "empty": spec})


EMPTY = [((0, 3), Role.HIDDEN_MATRIX), ((3, 0), Role.OUTPUT), ((0,), Role.BIAS)]


@pytest.mark.parametrize(("shape", "role"), nightly_but(EMPTY[:1], EMPTY))
@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_without_entries_changes_nothing(
    name: str, shape: tuple[int, ...], role: Role
) -> None:
    problem, other = with_empty(shape, role), torch_problem()
    optimizer = torch_optimizer(name, problem)
    for step in range(6):
        problem.parameters["empty"].grad = torch.zeros(shape)
        torch_steps(optimizer, problem, range(step, step + 1))
    expected = torch_steps(torch_optimizer(name, other), other, range(6))
    actual = {n: p.detach().numpy() for n, p in problem.parameters.items() if n != "empty"}
    assert largest_error(actual, expected) < (5e-3 if name == "psgd" else 1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_at_a_rate_of_zero_nothing_moves(name: str) -> None:
    rates = {n: 0.0 for n in default_point(name) if n.endswith("learning_rate")}
    problem = torch_problem()
    after = torch_steps(torch_optimizer(name, problem, **rates), problem)
    # dual averaging computes its point anew from the start, Muown from directions and norms
    assert largest_error(after, draw(0)) < (1e-6 if name in (*AVERAGED, "muown") else 1e-30)


@pytest.mark.parametrize("kind", [AdamS, Muon, ModularNorm, SpectralDescent])
def test_no_parameters_are_refused_as_by_torch(kind: Callable[..., torch.optim.Optimizer]) -> None:
    settings: dict[object, Point] = {
        AdamS: {"weight_decay": 0.0},
        Muon: {},
        ModularNorm: {"roles": [], "splits": [], **default_point("modular_norm")},
        SpectralDescent: {"splits": [], "scope": "layer"},
    }
    with pytest.raises(ValueError, match="empty parameter list"):
        kind([], lr=0.1, **settings[kind])
    with pytest.raises(ValueError, match="empty parameter list"):
        torch.optim.AdamW([], lr=0.1)


@pytest.mark.parametrize("name", AVERAGING)
def test_a_state_saved_in_evaluation_resumes_the_training(name: str) -> None:
    expected, first, second = torch_problem(), torch_problem(), torch_problem()
    way = torch_steps(torch_optimizer(name, expected), expected)
    optimizer: Any = torch_optimizer(name, first)
    torch_steps(optimizer, first, range(10))
    optimizer.eval()
    saved = copy.deepcopy(optimizer.state_dict())
    for n, value in first.parameters.items():
        second.parameters[n].data.copy_(value.detach())
    resumed: Any = torch_optimizer(name, second)
    resumed.load_state_dict(saved)
    resumed.train()
    assert largest_error(torch_steps(resumed, second, range(10, 20)), way) == 0.0


@pytest.mark.parametrize("name", AVERAGING)
def test_a_step_in_evaluation_is_refused(name: str) -> None:
    problem = torch_problem()
    optimizer: Any = torch_optimizer(name, problem)
    torch_steps(optimizer, problem, range(3))
    optimizer.eval()
    with pytest.raises(HarnessError, match="call train"):
        optimizer.step()
    optimizer.train()
    optimizer.step()


@pytest.mark.parametrize("name", NAMES)
def test_strided_gradients_are_those_of_the_same_numbers(name: str) -> None:
    problem, other = torch_problem(), torch_problem()
    strided, optimizer = torch_optimizer(name, problem), torch_optimizer(name, other)
    for step in range(5):
        for n, gradient in gradients(step).items():
            problem.parameters[n].grad = torch.from_numpy(gradient.T.copy()).permute(
                *reversed(range(gradient.ndim))
            )
            other.parameters[n].grad = torch.from_numpy(gradient)
        strided.step()
        optimizer.step()
    for n, value in problem.parameters.items():
        torch.testing.assert_close(value, other.parameters[n], rtol=0.0, atol=2e-3)


@pytest.mark.parametrize("name", ["adamw", "sgd", "adagrad"])
def test_strided_parameters_are_trained_as_the_same_numbers(name: str) -> None:
    """A view into a larger tensor, which torch's fused steps would run past."""
    whole = torch.from_numpy(draw(0)["square"].copy())
    views = [torch.nn.Parameter(part) for part in (whole[:, ::2], whole[:, ::2].clone())]
    for weight in views:
        optimizer = torch_optimizer(name, BareProblem({"square": weight}, {}))
        for step in range(5):
            weight.grad = torch.from_numpy(gradients(step)["square"])[:, ::2]
            optimizer.step()
    torch.testing.assert_close(views[0], views[1])
