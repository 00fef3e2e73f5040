"""Classes in JAX make torch's twenty steps on the small perceptron."""

from __future__ import annotations

import pytest

from tests.tiers import nightly_but

from .class_twins import furthest, ways
from .conftest import Measured
from .given_problem import Point

CASES: list[tuple[str, Point]] = [
    ("async_sgd", {"rule": "elastic", "period": 2}),
    ("dfw", {"refresh_every": 4}),
    ("ea_sgd", {"period": 2}),
    ("ekfac", {"refresh_every": 4, "observe_every": 2}),
    ("entropy_sgd", {"noise": 0.0, "langevin_steps": 5, "langevin_momentum": 0.5}),
    ("full_adagrad", {}),
    ("kfac", {"refresh_every": 4, "observe_every": 2}),
    ("newton_muon", {"refresh_every": 3, "matmul_dtype": "float32"}),
    ("newton", {"damping": 0.2, "learning_rate": 0.2, "batch_factor": 2}),
    ("sophia_g", {"learning_rate": 0.01, "estimate_every": 3}),
]
OTHERS: list[tuple[str, Point]] = [
    ("async_sgd", {"rule": "downpour", "period": 4, "clip": 0.1}),
    ("dfw", {"max_dim": 8, "factor_beta": 0.5, "clip": 0.1, "momentum": 0.0}),
    ("ea_sgd", {"clip": 0.1}),
    ("ekfac", {"diagonal": "batch", "fisher": "empirical", "sharing": "reduce", "clip": 0.1}),
    ("entropy_sgd", {"noise": 0.0, "scope": 2.0, "scoping": 0.3, "clip": 0.1}),
    ("full_adagrad", {"clip": 0.1}),
    (
        "newton",
        {"spectrum": "absolute", "damping": 0.2, "learning_rate": 0.2, "curvature_fraction": 0.5},
    ),
    ("sophia_g", {"gamma": 20.0, "learning_rate": 0.05, "estimate_fraction": 1.0, "clip": 0.1}),
]


@pytest.mark.parametrize(("name", "changes"), nightly_but(CASES, [*CASES, *OTHERS]))
def test_jax_agrees_with_torch(name: str, changes: Point, measured: Measured) -> None:
    ours, expected = ways(name, changes)
    moved = furthest(expected[-1], expected[0])
    assert moved > 1e-2
    errors = [furthest(*pair) for pair in zip(ours, expected, strict=True)]
    print(name, errors[-1], moved)
    assert measured(max(errors)) < 1e-3 * moved
