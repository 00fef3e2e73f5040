"""CASPR: the authors' code in float64, JAX against torch, what it has of Shampoo's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from submissions.caspr.submission import FIXED_SETTINGS, Caspr
from submissions.common.optimizers import State
from submissions.shampoo.optimizer import Shampoo
from tests.tiers import nightly_but

from .conftest import Measure
from .given_problem import (
    SHAPES,
    Array,
    Point,
    gradients,
    largest_error,
    optax_steps,
    optax_transformation,
    textbook_steps,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

MATRICES = [name for name, (shape, _) in SHAPES.items() if len(shape) > 1]
SETTINGS: Point = {
    "lr": 0.01, "weight_decay": 0.1, "beta1": 0.9, "beta2": 0.95, "graft_beta2": 0.95,
    "damping": 1e-2, "refresh_every": 1, "matmul_dtype": "float64",
}  # fmt: skip


def root(matrix: Array) -> Array:
    """With the damping relative to the largest eigenvalue, where the source has it to the mean."""
    values, vectors = np.linalg.eigh(matrix)
    result: Array = (vectors * (values + 1e-2 * values.max()) ** -0.25) @ vectors.T
    return result


def of_the_authors(start: int, nesterov: bool) -> dict[str, Array]:
    states: dict[str, State] = {}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        if name not in MATRICES:
            return w
        g = g.reshape(len(g), -1)
        s = states.setdefault(name, {"m": 0.0, "v": 0.0, "l": 0.0, "r": 0.0})
        s["m"] = 0.9 * s["m"] + 0.1 * g
        s["v"] = 0.95 * s["v"] + 0.05 * g**2
        s["l"] = 0.95 * s["l"] + 0.05 * g @ g.T
        s["r"] = 0.95 * s["r"] + 0.05 * g.T @ g
        m = (0.9 * s["m"] + 0.1 * g if nesterov else s["m"]) / (1 - 0.9**t)
        step = adam = m / (np.sqrt(s["v"] / (1 - 0.95**t)) + 1e-8)
        if t >= start:
            left, right = root(s["l"]), root(s["r"])
            once = left @ m + m @ right
            step = left @ once + once @ right
            step = step / np.linalg.norm(step) * np.linalg.norm(adam)
        after: Array = (1 - 0.001) * w - 0.01 * step.reshape(w.shape)
        return after

    return {name: value for name, value in textbook_steps(update).items() if name in MATRICES}


@pytest.mark.parametrize(("start", "nesterov"), [(1, True), (4, False)])
def test_torch_agrees_with_the_authors(start: int, nesterov: bool, measure: Measure) -> None:
    problem = torch_problem(torch.float64)
    values = [problem.parameters[name] for name in MATRICES]
    settings: Point = SETTINGS | FIXED_SETTINGS
    optimizer = Caspr(values, start=start, nesterov=nesterov, **settings)
    ours = torch_steps(optimizer, problem)
    assert measure(largest_error(of_the_authors(start, nesterov), ours)) < 1e-10


CASES = [{"refresh_every": 4, "start": 3}, {"refresh_every": 1, "start": 1, "max_dim": 24}]


@pytest.mark.system
@pytest.mark.parametrize("changes", nightly_but(CASES[:1], CASES))
def test_jax_agrees_with_torch(changes: Point, measure: Measure) -> None:
    changes = {**changes, "damping": 1e-2, "matmul_dtype": "float32"}
    problem = torch_problem()
    ours = torch_steps(torch_optimizer("caspr", problem, **changes), problem)
    theirs = optax_steps(optax_transformation("caspr", **changes))
    assert measure(largest_error(theirs, ours)) < 1e-4


def first_step(kind: type[Shampoo], gradient: torch.Tensor, **changes: object) -> torch.Tensor:
    weight = torch.nn.Parameter(torch.zeros_like(gradient))
    weight.grad = gradient
    settings = SETTINGS | {"weight_decay": 0.0, "damping": 1e-12} | changes
    kind([weight], **settings).step()
    return weight.detach()


def test_on_a_single_gradient_it_is_shampoo() -> None:
    """Whose three terms L^-1/2 G, L^-1/4 G R^-1/4 and G R^-1/2 are then all the polar factor."""
    gradient = torch.from_numpy(gradients(0)["square"]).double()
    ours = first_step(Caspr, gradient, nesterov=False)
    torch.testing.assert_close(ours, first_step(Shampoo, gradient), rtol=1e-4, atol=1e-7)


def test_with_one_factor_it_is_shampoo() -> None:
    problem, other = torch_problem(torch.float64), torch_problem(torch.float64)
    ours = Caspr([problem.parameters["tall"]], max_dim=24, nesterov=False, **SETTINGS)
    theirs = Shampoo([other.parameters["tall"]], max_dim=24, **SETTINGS)
    assert largest_error(torch_steps(ours, problem), torch_steps(theirs, other)) == 0.0
