"""Scion: a float64 textbook with exact polar factors, JAX against torch, the balls it stays in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from submissions.scion.submission import Scion
from tests.tiers import nightly_but

from .conftest import Measure
from .given_problem import (
    SHAPES,
    Array,
    Point,
    default_point,
    draw,
    largest_error,
    optax_steps,
    optax_transformation,
    textbook_steps,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

SHARED: Point = {"learning_rate": 0.02, "radius": 3.0, "output_radius": 20.0}


def boundary(name: str, m: Array, point: Point) -> Array:
    """rho D(M), by singular value decomposition."""
    shape, role = SHAPES[name]
    mapped: Array
    if role in ("output", "embedding"):
        mapped = point["output_radius"] * np.sign(m) / shape[1]
        return mapped
    if len(shape) == 1:
        mapped = point["vector_radius"] * m / np.sqrt((m**2).mean())
        return mapped
    u, _, v = np.linalg.svd(m.reshape(shape[0], -1), full_matrices=False)
    offsets = np.prod(shape[2:])
    scale = np.sqrt(shape[0] / shape[1]) / offsets
    mapped = point["radius"] * scale * (u @ v).reshape(shape)
    return mapped


def textbook(point: Point) -> dict[str, Array]:
    momenta: dict[str, Array] = {}

    def update(name: str, t: int, w: Array, g: Array) -> Array:
        beta, gamma = point["momentum"], point["learning_rate"]
        m = momenta[name] = beta * momenta.get(name, 0.0) + (1 - beta) * g
        factor = 1 - gamma if point["constrained"] else 1.0
        after: Array = factor * w - gamma * boundary(name, m, point)
        return after

    return textbook_steps(update)


@pytest.mark.parametrize("constrained", [True, False])
def test_torch_agrees_with_the_textbook(constrained: bool, measure: Measure) -> None:
    """To the error of four Newton-Schulz iterations in hidden matrices, exactly elsewhere."""
    changes = {**SHARED, "constrained": constrained, "matmul_dtype": "float64"}
    problem = torch_problem(torch.float64)
    ours = torch_steps(torch_optimizer("scion", problem, **changes), problem)
    exact = textbook(default_point("scion", **changes))
    for name in ("output", "bias"):
        assert largest_error({name: ours[name]}, exact) < 1e-12
    measure(largest_error(ours, exact))
    for name in ("square", "tall", "kernel"):
        way, expected = (values[name] - draw(0)[name] for values in (ours, exact))
        assert np.linalg.norm(way - expected) < 0.25 * np.linalg.norm(expected)
        assert np.vdot(way, expected) > 0.99 * np.linalg.norm(way) * np.linalg.norm(expected)


@pytest.mark.system
@pytest.mark.parametrize("constrained", nightly_but([True], [True, False]))
def test_jax_agrees_with_torch(constrained: bool, measure: Measure) -> None:
    changes = {**SHARED, "constrained": constrained, "matmul_dtype": "float32"}
    problem = torch_problem()
    ours = torch_steps(torch_optimizer("scion", problem, **changes), problem)
    assert (
        measure(largest_error(ours, optax_steps(optax_transformation("scion", **changes)))) < 1e-4
    )


def test_constrained_weights_end_in_their_balls() -> None:
    problem = torch_problem()
    changes = {"learning_rate": 0.3, "radius": 2.0, "output_radius": 5.0, "vector_radius": 0.5}
    after = torch_steps(torch_optimizer("scion", problem, **changes), problem)
    # Newton-Schulz leaves singular values up to 1.17
    assert np.linalg.norm(after["square"], 2) < 1.2 * 2.0
    assert np.abs(after["output"]).max() <= 5.0 / 24 * 1.01
    assert np.sqrt((after["bias"] ** 2).mean()) <= 0.5 * 1.01


def test_kernels_are_shortened_by_their_offsets() -> None:
    weights = [torch.nn.Parameter(torch.zeros(shape)) for shape in ((8, 18), (8, 2, 3, 3))]
    gradient = torch.from_numpy(draw(3)["kernel"][:8, :2])
    weights[0].grad, weights[1].grad = gradient.flatten(1), gradient
    settings: Point = {"radius": 1.0, "output_radius": 1.0, "vector_radius": 1.0}
    Scion(
        weights,
        ["hidden_matrix", "convolution"],
        [(), ()],
        lr=1.0,
        momentum=0.0,
        constrained=False,
        matmul_dtype="float32",
        **settings,
    ).step()
    flat = weights[0].detach() * (18 / 2) ** 0.5 / 9
    torch.testing.assert_close(weights[1].detach().flatten(1), flat)
