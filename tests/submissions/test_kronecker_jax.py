"""Shampoo and SOAP in JAX make torch's steps, which their own tests hold to the textbook."""

from __future__ import annotations

import pytest

from tests.tiers import nightly_but

from .conftest import Measure
from .given_problem import (
    Point,
    largest_error,
    optax_steps,
    optax_transformation,
    torch_optimizer,
    torch_problem,
    torch_steps,
)

CASES = [
    ("shampoo", {"graft": "adam", "start": 3, "refresh_every": 4, "damping": 1e-2}),
    ("shampoo", {"graft": "none", "start": 1, "refresh_every": 1, "damping": 1e-2}),
    ("shampoo", {"graft": "sgd", "start": 2, "refresh_every": 5, "max_dim": 24, "damping": 1e-2}),
    # Null spaces of long sides have no basis of their own: short sides alone are comparable.
    ("soap", {"refresh_every": 1, "max_dim": 24}),
    ("soap", {"refresh_every": 6, "max_dim": 24}),
    ("soap", {"refresh_every": 6, "max_dim": 24, "stagger": False}),
]


@pytest.mark.system
@pytest.mark.parametrize(("name", "changes"), nightly_but([CASES[0], CASES[-1]], CASES))
def test_jax_agrees_with_torch(name: str, changes: Point, measure: Measure) -> None:
    changes = {**changes, "matmul_dtype": "float32"}
    problem = torch_problem()
    ours = torch_steps(torch_optimizer(name, problem, **changes), problem)
    assert measure(largest_error(optax_steps(optax_transformation(name, **changes)), ours)) < 1e-4
