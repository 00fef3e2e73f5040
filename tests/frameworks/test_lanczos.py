"""The largest eigenvalue by Lanczos: numpy's of a given spectrum, and a network's exact one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.frameworks.examples import EvalConfig
from harness.frameworks.lanczos import largest_eigenvalue
from harness.frameworks.load import evaluation_backend
from tests.frameworks.kit import SOURCE, examples, parameters


def matrix(spectrum: np.ndarray) -> np.ndarray:
    """A symmetric matrix with these eigenvalues, in no particular basis."""
    size = len(spectrum)
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((size, size)))[0]
    result: np.ndarray = basis * spectrum @ basis.T
    return result


@pytest.mark.system
@pytest.mark.parametrize(
    "spectrum",
    [1.0 / np.arange(1, 301), np.linspace(-5.0, 2.0, 300), np.ones(4), np.array([-3.0])],
    ids=["decaying", "mostly negative", "identity", "one row"],
)
def test_it_is_numpys_within_the_tolerance(spectrum: np.ndarray) -> None:
    a = matrix(spectrum)
    result = largest_eigenvalue(lambda vector: a @ vector, len(a))
    assert result == pytest.approx(np.linalg.eigvalsh(a)[-1], rel=2e-3)


def test_a_product_that_is_not_finite_has_no_eigenvalue() -> None:
    assert math.isnan(largest_eigenvalue(lambda vector: vector * math.inf, 3))


@pytest.mark.parametrize("batch", [4096, 16])
def test_a_networks_sharpness_is_its_exact_hessians_largest_eigenvalue(batch: int) -> None:
    backend = evaluation_backend("torch", "cpu", 1)
    evaluator = backend.evaluator(SOURCE, {}, examples(40), EvalConfig(batch))
    result = evaluator.sharpness(parameters())["sharpness"]
    assert result == pytest.approx(evaluator.curvature(parameters())["hessian_max"], rel=2e-3)
