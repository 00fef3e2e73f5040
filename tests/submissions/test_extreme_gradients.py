"""Gradients that are zero, tiny, huge or not numbers: a step is sane, or its NaN is seen."""

from __future__ import annotations

import copy
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from submissions.adams.submission import AdamS
from submissions.lars.submission import Lars
from submissions.muon.submission import Muon
from tests.tiers import nightly_but

from .given_problem import (
    NAMES,
    Point,
    default_point,
    draw,
    gradients,
    largest_error,
    optax_steps,
    optax_transformation,
    torch_optimizer,
    torch_problem,
    torch_steps,
)


def ones(gradient: float | torch.Tensor) -> torch.nn.Parameter:
    """A matrix of ones, with this gradient."""
    weight = torch.nn.Parameter(torch.ones(4, 3))
    weight.grad = gradient * torch.ones_like(weight)
    return weight


def test_adams_does_not_decay_where_nothing_has_a_gradient() -> None:
    weight = ones(0.0)
    ours = AdamS([weight], lr=0.01, weight_decay=0.1)
    for _ in range(3):
        ours.step()
    assert torch.equal(weight.detach(), torch.ones(4, 3))


@pytest.mark.parametrize("gradient", [1e-3, 1e-9, 1e-20])
def test_adams_never_decays_past_zero(gradient: float) -> None:
    """As gradients fall to zero, and stay there, lambda over their size grows to infinity."""
    weight = ones(gradient)
    ours = AdamS([weight], lr=0.01, weight_decay=0.1, betas=(0.0, 0.9), eps=1e-12)
    for step in range(200):
        weight.grad = torch.full_like(weight, gradient * 0.5**step)
        before = weight.detach().clone()
        ours.step()
        assert float(weight.detach().abs().max()) <= float(before.abs().max()) + 0.011


def test_lars_decays_by_rate_times_decay_where_the_gradient_is_zero() -> None:
    weight = ones(0.0)
    Lars([weight], lr=0.5, weight_decay=1e-3, trust=0.02).step()
    torch.testing.assert_close(weight.detach(), torch.full((4, 3), 1 - 0.5 * 1e-3))


@pytest.mark.parametrize("size", [1e-3, 1e-8, 2e-11, 1e-14])
def test_muons_steps_on_tiny_gradients_are_those_of_torch(size: float) -> None:
    problem, other = torch_problem(), torch_problem()
    weight, expected = problem.parameters["tall"], other.parameters["tall"]
    form: Point = {"norm": "frobenius", "coefficients": "jordan", "steps": 5}
    ours = Muon([weight], lr=1.0, matmul_dtype="bfloat16", **form)
    theirs = torch.optim.Muon([expected], lr=1.0, weight_decay=0.0)
    gradient = size * torch.from_numpy(gradients(0)["tall"])
    weight.grad, expected.grad = gradient, gradient.clone()
    before = weight.detach().clone()
    ours.step()
    theirs.step()
    ours_moved, moved = weight.detach() - before, expected.detach() - before
    # the source adds 1e-7 to the norm, torch bounds the norm by it
    assert float((ours_moved - moved).norm()) < 0.05 * float(moved.norm()) + 1e-6


TINY = list(product(("frobenius", "tight"), (1e-5, 1e-9)))


@pytest.mark.parametrize(("norm", "size"), nightly_but([("tight", 1e-9)], TINY))
def test_muon_in_jax_shortens_the_same_steps(norm: str, size: float) -> None:
    assert default_point("muon")["momentum"] == 0.95
    changes = {"norm": norm, "matmul_dtype": "float32", "weight_decay": 0.0}
    problem = torch_problem()
    optimizer = torch_optimizer("muon", problem, **changes)
    ours = torch_steps(optimizer, problem, scale=size)
    theirs = optax_steps(optax_transformation("muon", **changes), scale=size)
    assert largest_error(ours, theirs) < 1e-5


NOT_FINITE = list(product(("square", "bias"), (torch.nan, torch.inf)))


@pytest.mark.parametrize(("where", "value"), nightly_but(NOT_FINITE[:1], NOT_FINITE))
@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_that_is_not_finite_shows_up_at_once(
    name: str, where: str, value: float
) -> None:
    """As with AdamW, where infinity over infinity is NaN."""
    problem = torch_problem()
    optimizer: Any = torch_optimizer(name, problem)
    torch_steps(optimizer, problem, range(5))
    for step in (5, 6):
        for n, gradient in gradients(step).items():
            problem.parameters[n].grad = torch.from_numpy(gradient).clone()
        if step == 5:
            problem.parameters[where].grad.flatten()[7] = value
        optimizer.step()
    assert not bool(torch.isfinite(problem.parameters[where]).all())


@pytest.mark.parametrize(
    ("name", "where"),
    [("adamuon", "square"), ("adopt", "bias"), ("lion", "bias"), ("scion", "output")],
)
def test_in_jax_neither_a_sign_nor_a_clip_hides_an_infinite_gradient(name: str, where: str) -> None:
    transformation: Any = optax_transformation(name)
    parameters: Any = {n: jnp.asarray(v) for n, v in draw(0).items()}
    state, update = transformation.init(parameters), jax.jit(transformation.update)
    for step in range(3):
        step_gradients = gradients(step)
        if step == 2:
            step_gradients[where].flat[7] = np.inf
        updates, state = update(step_gradients, state, parameters)
    assert not np.isfinite(updates[where]).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_huge_gradient_leaves_no_nan(name: str) -> None:
    problem = torch_problem()
    optimizer = torch_optimizer(name, problem)
    torch_steps(optimizer, problem, range(5))
    for parameter in problem.parameters.values():
        parameter.grad = 1e20 * torch.ones_like(parameter)
    optimizer.step()
    for value in torch_steps(optimizer, problem, range(6, 20)).values():
        assert bool(torch.isfinite(torch.from_numpy(value)).all())


RELATIVES = ("adamuon", "modular_norm", "muown", "normuon", "scion", "spectral_descent")


@pytest.mark.parametrize("name", nightly_but(["normuon", "scion"], RELATIVES))
def test_matrices_do_not_stand_still_after_a_huge_gradient(name: str) -> None:
    """A norm that overflows would divide the momentum to zero for as long as it is huge."""
    free: Point = {"constrained": False} if name == "scion" else {"weight_decay": 0.0}
    free |= {"sign": False} if name == "adamuon" else {}
    problem = torch_problem()
    optimizer = torch_optimizer(name, problem, **free)
    before = torch_steps(optimizer, problem, range(5))
    step = largest_error(before, draw(0)) / 5
    after = torch_steps(optimizer, problem, range(5, 6), scale=1e24)
    later = torch_steps(optimizer, problem, range(6, 8))
    for one, other in ((before, after), (after, later)):
        assert float(np.abs(other["square"] - one["square"]).max()) > 0.1 * step


def test_varying_adamw_goes_on_after_a_huge_gradient_as_adamw_does() -> None:
    """The second moment over its small weight would overflow before the root is taken."""
    ways = []
    for name in ("adamw", "varying_adamw"):
        problem = torch_problem()
        optimizer = torch_optimizer(name, problem, weight_decay=0.0)
        torch_steps(optimizer, problem, range(5))
        for parameter in problem.parameters.values():
            parameter.grad = 1e20 * torch.ones_like(parameter)
        optimizer.step()
        ways.append(torch_steps(optimizer, problem, range(6, 20)))
    assert largest_error(*ways) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_a_hook_runs_once_a_step_of_a_torch_optimizer(name: str) -> None:
    problem = torch_problem()
    optimizer = torch_optimizer(name, problem)
    torch_steps(optimizer, problem, range(1))
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    steps: list[type] = []
    handle = register_optimizer_step_post_hook(lambda one, *_: steps.append(type(one)))
    own: list[int] = []
    optimizer.register_step_post_hook(lambda *_: own.append(1))
    torch_steps(optimizer, problem, range(2))
    handle.remove()
    assert len(own) == 2
    assert all(steps.count(kind) == 2 for kind in steps)
