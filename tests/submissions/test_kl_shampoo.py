"""KL-Shampoo and KL-SOAP: the authors' algorithm in float64, the covariance they find, bounds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from submissions.common.optimizers import State
from submissions.kl_shampoo.optimizer import KlShampoo, KlSoap
from tests.tiers import nightly_but

from .conftest import Measure
from .given_problem import (
    SHAPES,
    Array,
    Point,
    draw,
    gradients,
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
    "factor_beta": 0.9,
    "weight_decay": 0.1,
    "initial_value": 0.1,
    "matmul_dtype": "float64",
    "max_dim": MAX_DIM,
}


def first_state(g: Array) -> State:
    """Factors and bases of the first gradient, which moves nothing."""
    factors = [0.1 * g @ g.T / g.shape[1], 0.1 * g.T @ g / g.shape[0]]
    bases = [
        np.linalg.eigh(f)[1][:, ::-1] if len(f) <= MAX_DIM else np.eye(len(f)) for f in factors
    ]
    values = [np.full(len(f), 0.1) for f in factors]
    return {"f": factors, "q": bases, "d": values, "m": np.zeros_like(g), "v": np.zeros_like(g)}


def direction(s: State, g: Array, is_soap: bool) -> Array:
    left, right = s["q"]
    if is_soap:  # the source keeps the momentum in the bases and takes it out to turn them
        s["m"] = 0.9 * s["m"] + 0.1 * g
        s["v"] = 0.95 * s["v"] + 0.05 * (left.T @ g @ right) ** 2
        after: Array = left @ ((left.T @ s["m"] @ right) / (np.sqrt(s["v"]) + 1e-8)) @ right.T
        return after
    s["m"] = 0.9 * s["m"] + 0.1 * g
    scale = np.outer(s["d"][0] ** -0.5, s["d"][1] ** -0.5)
    result: Array = left @ ((left.T @ s["m"] @ right) * scale / (1 + scale * 1e-8)) @ right.T
    return result


def accumulate(s: State, g: Array) -> None:
    (left, right), (lefts, d) = s["q"], s["d"]
    rotated = left.T @ g @ right
    s["f"] = [
        0.9 * s["f"][0] + 0.1 * (g @ right / d @ right.T @ g.T) / g.shape[1],
        0.9 * s["f"][1] + 0.1 * (g.T @ left / lefts @ left.T @ g) / g.shape[0],
    ]
    means = (rotated**2 / d).mean(1), (rotated**2 / lefts[:, None]).mean(0)
    s["d"] = [
        np.maximum(0.9 * old + 0.1 * mean, max(10.0, len(old)) ** -2)
        for old, mean in zip(s["d"], means, strict=True)
    ]


def textbook(is_soap: bool) -> dict[str, Array]:
    """Refreshed after every step; without an own basis a side keeps the identity."""
    states: dict[str, State] = {}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        if name not in MATRICES:
            return w
        g = g.reshape(len(g), -1)
        if name not in states:
            states[name] = first_state(g)
            return w
        s = states[name]
        step = direction(s, g, is_soap).reshape(w.shape)
        accumulate(s, g)
        for side in (0, 1):
            if len(s["f"][side]) <= MAX_DIM:
                s["q"][side] = np.linalg.qr(s["f"][side] @ s["q"][side])[0]
        return (1 - 0.01 * 0.1) * w - 0.01 * step

    return {name: value for name, value in textbook_steps(update).items() if name in MATRICES}


@pytest.mark.parametrize("kind", [KlShampoo, KlSoap])
def test_refreshed_at_every_step_it_agrees_with_the_authors(
    kind: type[KlShampoo], measure: Measure
) -> None:
    problem = torch_problem(torch.float64)
    values = [problem.parameters[name] for name in MATRICES]
    ours = torch_steps(kind(values, refresh_every=1, **SETTINGS), problem)
    assert measure(largest_error(textbook(kind is KlSoap), ours)) < 1e-6


@pytest.mark.parametrize("kind", [KlShampoo, KlSoap])
def test_the_first_gradient_moves_nothing(kind: type[KlShampoo]) -> None:
    problem = torch_problem(torch.float64)
    values = [problem.parameters[name] for name in MATRICES]
    after = torch_steps(kind(values, **SETTINGS), problem, range(1))
    assert largest_error(after, draw(0)) == 0.0


def test_the_factors_are_the_covariance_that_gradients_are_drawn_from() -> None:
    """E vec(G) vec(G)^T = B (x) A: of the factors' eigenvalues only the products are determined."""
    random = np.random.default_rng(0)
    a, b = (np.geomspace(1.0, least, n) for least, n in ((0.01, 6), (0.1, 4)))
    weight = torch.nn.Parameter(torch.zeros(6, 4, dtype=torch.float64))
    settings = SETTINGS | {"factor_beta": 0.995, "lr": 0.0}
    optimizer = KlShampoo([weight], refresh_every=1, **settings)
    for _ in range(3000):
        gradient = np.sqrt(a)[:, None] * random.standard_normal((6, 4)) * np.sqrt(b)
        weight.grad = torch.from_numpy(gradient)
        optimizer.step()
    left, right = (optimizer.state[weight][f"{side}_values"] for side in ("left", "right"))
    result = np.sort(torch.outer(left, right).numpy().ravel())
    np.testing.assert_allclose(result, np.sort(np.outer(a, b).ravel()), rtol=0.4)


def test_where_nothing_has_a_gradient_the_inverse_roots_stay_bounded() -> None:
    weight = torch.nn.Parameter(torch.ones(SHAPES["square"][0], dtype=torch.float64))
    optimizer = KlShampoo([weight], **SETTINGS | {"weight_decay": 0.0})
    weight.grad = torch.from_numpy(gradients(0)["square"]).double()
    optimizer.step()
    weight.grad = torch.zeros_like(weight)
    for _ in range(300):
        optimizer.step()
    assert float(optimizer.state[weight]["left_values"].min()) == pytest.approx(24.0**-2)
    torch.testing.assert_close(weight.detach(), torch.ones_like(weight))


def test_its_start_follows_the_gradients_scale() -> None:
    """The first steps, before bases turn, are the same on gradients four times as large."""
    ways = []
    for scale in (1.0, 4.0):
        problem = torch_problem(torch.float64)
        values = [problem.parameters[name] for name in MATRICES]
        optimizer = KlShampoo(values, refresh_every=99, **SETTINGS | {"initial_value": 0.0})
        ways.append(torch_steps(optimizer, problem, range(4), scale=scale))
    assert largest_error(*ways) < 1e-6


JAX_CASES = list(product(("kl_shampoo", "kl_soap"), (1, 6), (0.0, 0.1)))


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "period", "initial"),
    nightly_but([("kl_shampoo", 6, 0.1), ("kl_soap", 6, 0.0)], JAX_CASES),
)
def test_jax_agrees_with_torch(name: str, period: int, initial: float, measure: Measure) -> None:
    changes: Point = {"refresh_every": period, "initial_value": initial}
    changes |= {"max_dim": MAX_DIM, "matmul_dtype": "float32"}
    problem = torch_problem()
    ours = torch_steps(torch_optimizer(name, problem, **changes), problem)
    assert measure(largest_error(optax_steps(optax_transformation(name, **changes)), ours)) < 1e-4
