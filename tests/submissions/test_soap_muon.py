"""SOAP-Muon: the authors' code in float64, JAX against torch, the norm of a step."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from submissions.common.optimizers import State
from submissions.soap_muon.submission import SoapMuon
from tests.tiers import nightly_but

from .conftest import Measure
from .given_problem import (
    Array,
    Point,
    gradients,
    jordans,
    largest_error,
    optax_steps,
    optax_transformation,
    textbook_steps,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

MATRICES = ["square", "square_2", "tall", "kernel"]
MAX_DIM = 24
"""The longer sides of `tall` and `kernel` start with a null space, whose basis is anybody's."""
SETTINGS: Point = {
    "lr": 0.01,
    "betas": (0.9, 0.95),
    "factor_beta": 0.95,
    "weight_decay": 0.1,
    "norm": "frobenius",
    "coefficients": "jordan",
    "newton_schulz_steps": 5,
    "matmul_dtype": "float64",
    "max_dim": MAX_DIM,
}


def has_basis(shape: tuple[int, ...], side: int, sides: str) -> bool:
    """The authors take the right side of a square."""
    short = 1 if shape[0] >= shape[1] else 0
    return shape[side] <= MAX_DIM and (sides == "both" or side == short)


def turn(factor: Array, basis: Array, second: Array, is_own: bool) -> tuple[Array, Array]:
    if not is_own:
        return basis, second
    order = np.argsort(-np.diag(basis.T @ factor @ basis), kind="stable")
    return np.linalg.qr(factor @ basis[:, order])[0], second[order]


def of_the_authors(sides: str, nesterov: bool, root: bool) -> dict[str, Array]:
    """Refreshed after every step; the momentum stays in the space of the gradient."""
    states: dict[str, State] = {}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        if name not in MATRICES:
            return w
        g = g.reshape(len(g), -1)
        grams = g @ g.T, g.T @ g
        own = [has_basis(g.shape, side, sides) for side in (0, 1)]
        if name not in states:
            bases = [
                np.linalg.eigh(x)[1][:, ::-1] if is_own else np.eye(len(x))
                for x, is_own in zip(grams, own, strict=True)
            ]
            start = {"f": [0.05 * x for x in grams], "q": bases, "m": 0.0, "v": np.zeros_like(g)}
            states[name] = start
            return w
        s = states[name]
        left, right = s["q"]
        rotated = left.T @ g @ right
        s["m"] = 0.9 * s["m"] + 0.1 * g
        s["v"] = 0.95 * s["v"] + 0.05 * rotated**2
        ahead = left.T @ s["m"] @ right + (0.1 * rotated if nesterov else 0.0)
        o = jordans(ahead / (np.sqrt(s["v"]) + 1e-8))
        o = np.sqrt(np.abs(o)) * np.sign(o) if root else o
        r, c = o.shape
        o = o / np.linalg.norm(o) * min(r, c) ** 0.5 * max(1, r / c) ** 0.5
        rate = 0.01 * (1 - 0.95 ** (t - 1)) ** 0.5 / (1 - 0.9 ** (t - 1))
        s["f"] = [0.95 * f + 0.05 * x for f, x in zip(s["f"], grams, strict=True)]
        s["q"][0], s["v"] = turn(s["f"][0], left, s["v"], own[0])
        s["q"][1], second = turn(s["f"][1], right, s["v"].T, own[1])
        s["v"] = second.T
        # decay before the step, where the source has it after
        after: Array = (1 - 0.01 * 0.1) * w - rate * (left @ o @ right.T).reshape(w.shape)
        return after

    return {name: value for name, value in textbook_steps(update).items() if name in MATRICES}


FORMS = [
    ("short", True, True),
    ("short", False, False),
    ("both", True, False),
    ("both", False, True),
]


@pytest.mark.parametrize(("sides", "nesterov", "root"), FORMS)
def test_refreshed_at_every_step_it_agrees_with_the_authors(
    sides: str, nesterov: bool, root: bool, measure: Measure
) -> None:
    problem = torch_problem(torch.float64)
    values = [problem.parameters[name] for name in MATRICES]
    form: Point = {"sides": sides, "nesterov": nesterov, "root": root}
    ours = torch_steps(SoapMuon(values, refresh_every=1, **form, **SETTINGS), problem)
    assert measure(largest_error(of_the_authors(sides, nesterov, root), ours)) < 1e-10


CASES = list(product((1, 6), (True, False), ("short", "both")))


@pytest.mark.system
@pytest.mark.parametrize(("period", "root", "sides"), nightly_but([(6, True, "short")], CASES))
def test_jax_agrees_with_torch(period: int, root: bool, sides: str, measure: Measure) -> None:
    changes: Point = {"refresh_every": period, "root": root, "sides": sides}
    changes |= {"max_dim": MAX_DIM, "matmul_dtype": "float32"}
    problem = torch_problem()
    ours = torch_steps(torch_optimizer("soap_muon", problem, **changes), problem)
    theirs = optax_steps(optax_transformation("soap_muon", **changes))
    assert measure(largest_error(theirs, ours)) < 2e-4


@pytest.mark.parametrize("name", ["square", "tall"])
def test_a_step_has_the_norm_of_muons(name: str) -> None:
    """The root of the number of rows, times Adam's bias correction."""
    weight = torch.nn.Parameter(torch.from_numpy(gradients(99)[name].copy()).double())
    form = {"sides": "short", "nesterov": True, "root": True}
    optimizer = SoapMuon([weight], **SETTINGS | form | {"lr": 1.0, "weight_decay": 0.0})
    for step in range(2):
        before = weight.detach().clone()
        weight.grad = torch.from_numpy(gradients(step)[name]).double()
        optimizer.step()
    length = len(weight) ** 0.5 * 0.05**0.5 / 0.1
    assert float((weight.detach() - before).norm()) == pytest.approx(length, rel=1e-9)


def test_where_nothing_has_a_gradient_nothing_moves() -> None:
    weight = torch.nn.Parameter(torch.ones(20, 12))
    form: Point = {"sides": "short", "nesterov": True, "root": True}
    changes = {"lr": 10.0, "weight_decay": 0.0, "matmul_dtype": "float32"}
    optimizer = SoapMuon([weight], **SETTINGS | form | changes)
    for _ in range(3):
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
    assert torch.equal(weight.detach(), torch.ones(20, 12))
