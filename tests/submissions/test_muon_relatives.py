"""NorMuon and AdaMuon: their authors' algorithms in float64, JAX against torch, what each is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

from submissions.adamuon.submission import AdaMuon
from submissions.common.optimizers import State
from submissions.muon.submission import Muon
from submissions.normuon.submission import NorMuon
from tests.tiers import nightly_but
from workloads.parameters import Role

from .conftest import Measure
from .given_problem import (
    SHAPES,
    Array,
    Point,
    default_point,
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

SOURCE = {"coefficients": "jordan", "newton_schulz_steps": 5, "norm": "frobenius"}
"""The iteration of both authors' code."""
HIDDEN = [n for n, (_, role) in SHAPES.items() if role in (Role.HIDDEN_MATRIX, Role.CONVOLUTION)]
CASES: list[tuple[str, Point]] = [
    ("normuon", {"scaling": "source"}),
    ("normuon", {"scaling": "rms"}),
    ("adamuon", {"sign": False}),
    ("adamuon", {"sign": True}),
]
ONE_OF_EACH = [CASES[0], CASES[2]]


def normuons(o: Array, state: State, point: Point) -> Array:
    rows, columns = o.shape
    mean = (o**2).mean(1, keepdims=True)
    state["v"] = point["beta2"] * state.get("v", 0.0) + (1 - point["beta2"]) * mean
    normalised = o / (np.sqrt(state["v"]) + 1e-10)
    normalised *= np.linalg.norm(o) / (np.linalg.norm(normalised) + 1e-10)
    if point["scaling"] == "rms":
        after: Array = 0.2 * max(rows, columns) ** 0.5 * normalised
        return after
    result: Array = max(1.0, rows / columns) ** 0.5 * normalised
    return result


def adamuons(o: Array, state: State, point: Point) -> Array:
    state["t"] = state.get("t", 0) + 1
    state["v"] = point["beta2"] * state.get("v", 0.0) + (1 - point["beta2"]) * o**2
    adapted = o / (np.sqrt(state["v"] / (1 - point["beta2"] ** state["t"])) + point["epsilon"])
    result: Array = 0.2 * o.size**0.5 * adapted / (np.linalg.norm(adapted) + point["epsilon"])
    return result


def textbook(name: str, point: Point) -> dict[str, Array]:
    """Both algorithms, whose momentum and decay are Muon's."""
    states: dict[str, State] = {}
    adapted = {"normuon": normuons, "adamuon": adamuons}[name]

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        state, beta = states.setdefault(name, {}), point["momentum"]
        state["m"] = beta * state.get("m", 0.0) + (1 - beta) * g
        x = (1 - beta) * g + beta * state["m"]
        x = np.sign(x) if point.get("sign") else x
        step = adapted(jordans(x.reshape(len(x), -1)), state, point)
        eta = point["learning_rate"]
        after: Array = (1 - eta * point["weight_decay"]) * w - eta * step.reshape(w.shape)
        return after

    return {n: value for n, value in textbook_steps(update).items() if n in HIDDEN}


@pytest.mark.parametrize(("name", "form"), CASES)
def test_torch_agrees_with_the_authors(name: str, form: Point, measure: Measure) -> None:
    changes = {**form, **SOURCE, "matmul_dtype": "float64", "weight_decay": 0.1}
    problem = torch_problem(torch.float64)
    ours = torch_steps(torch_optimizer(name, problem, **changes), problem)
    # where the momentum's norm is 0.5, the source's 1e-7 beside it is Muon's f only nearly
    assert measure(largest_error(textbook(name, default_point(name, **changes)), ours)) < 1e-6


@pytest.mark.system
@pytest.mark.parametrize(("name", "form"), nightly_but(ONE_OF_EACH, CASES))
def test_jax_agrees_with_torch(name: str, form: Point, measure: Measure) -> None:
    changes = {**form, "matmul_dtype": "float32"}
    problem = torch_problem()
    ours = torch_steps(torch_optimizer(name, problem, **changes), problem)
    assert measure(largest_error(ours, optax_steps(optax_transformation(name, **changes)))) < 1e-4


def first_step(kind: Callable[..., Muon], **settings: object) -> torch.Tensor:
    weight = torch.nn.Parameter(torch.zeros(40, 12))
    weight.grad = torch.from_numpy(gradients(0)["tall"].copy())
    kind([weight], lr=1.0, matmul_dtype="float32", **settings).step()
    return weight.detach()


def test_normuons_rows_are_of_equal_length() -> None:
    rows = first_step(NorMuon, beta2=0.95).square().mean(1)
    torch.testing.assert_close(rows, rows.mean().expand(40), rtol=1e-4, atol=0.0)


def test_adamuons_step_has_a_root_mean_square_of_a_fifth() -> None:
    step = first_step(AdaMuon, beta2=0.99, epsilon=1e-8, sign=True)
    assert float(step.square().mean().sqrt()) == pytest.approx(0.2, rel=1e-4)


@pytest.mark.parametrize("kind", [NorMuon, partial(AdaMuon, epsilon=1e-8, sign=True)])
def test_fused_matrices_are_adapted_one_by_one(kind: Callable[..., Muon]) -> None:
    gradient = torch.from_numpy(gradients(0)["square"][:12, :8].copy())
    whole, *parts = (torch.nn.Parameter(torch.zeros(rows, 8)) for rows in (12, 8, 4))
    whole.grad = gradient
    for part, piece in zip(parts, gradient.split([8, 4]), strict=True):
        part.grad = piece
    form: Point = {"lr": 1.0, "matmul_dtype": "float32", "beta2": 0.9}
    kind([whole], splits=[(8, 4)], **form).step()
    kind(parts, **form).step()
    torch.testing.assert_close(whole.detach(), torch.cat([p.detach() for p in parts]))
