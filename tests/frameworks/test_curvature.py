"""Curvature matrices of small networks against closed forms, finite differences and theorems."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.frameworks.examples import EvalConfig, Examples, ModelSource
from harness.frameworks.load import evaluation_backend
from tests.frameworks.kit import SIZES, SOURCE, examples, parameters

BATCH = examples(40)
APPROXIMATIONS = ("kfac", "ekfac", "shampoo", "shampoo_squared", "diagonal")


def curvature(
    values: dict[str, np.ndarray], batch: Examples = BATCH, source: ModelSource = SOURCE
) -> dict[str, float]:
    backend = evaluation_backend("torch", "cpu", 1)
    evaluator = backend.evaluator(source, {}, batch, EvalConfig(4096))
    return evaluator.curvature(values)


def gradient_by_hand(flat: np.ndarray) -> np.ndarray:
    """The gradient of the mean loss of the tanh perceptron, without automatic differentiation."""
    shapes = {name: value.shape for name, value in parameters().items()}
    ends = np.cumsum([np.prod(shape) for shape in shapes.values()])[:-1]
    parts = zip(shapes.items(), np.split(flat, ends.astype(int)), strict=True)
    w = {name: part.reshape(shape) for (name, shape), part in parts}
    layers, layer_inputs = ("hidden_1", "hidden_2", "output"), [BATCH.inputs.astype(np.float64)]
    for name in layers:
        values = layer_inputs[-1] @ w[f"{name}.weight"].T + w[f"{name}.bias"]
        layer_inputs.append(values if name == "output" else np.tanh(values))
    chances = np.exp(layer_inputs[-1]) / np.exp(layer_inputs[-1]).sum(1, keepdims=True)
    back = (chances - np.eye(SIZES["classes"])[BATCH.targets]) / len(BATCH.targets)
    result = {}
    for place in (2, 1, 0):
        name = layers[place]
        result[f"{name}.weight"], result[f"{name}.bias"] = back.T @ layer_inputs[place], back.sum(0)
        back = back @ w[f"{name}.weight"] * (1 - layer_inputs[place] ** 2)
    return np.concatenate([result[name].ravel() for name in shapes])


def test_the_hessians_eigenvalues_are_those_of_differences_of_gradients() -> None:
    flat = np.concatenate([v.ravel() for v in parameters().values()]).astype(np.float64)
    steps = 1e-5 * np.eye(len(flat))
    rows = [gradient_by_hand(flat + step) - gradient_by_hand(flat - step) for step in steps]
    hessian = np.stack(rows) / 2e-5
    spectrum = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    result = curvature(parameters())
    assert (result["hessian_min"], result["hessian_max"]) == pytest.approx(
        (spectrum[0], spectrum[-1]), rel=1e-6
    )


def test_the_fisher_is_the_gauss_newton_matrix() -> None:
    assert curvature(parameters())["fisher_error"] < 1e-12


def test_without_hidden_layers_the_gauss_newton_matrix_is_the_hessian() -> None:
    source = replace(SOURCE, package="workloads.landscapes.separable", sizes={"inputs": 6})
    batch = Examples(BATCH.inputs, BATCH.targets % 2)
    weights = {"output.weight": np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 6)}
    result = curvature(weights, batch, source)
    assert result["gauss_newton_error"] < 1e-12
    assert result["hessian_max"] == pytest.approx(result["fisher_max"])
    assert result["blocks_distance"] == pytest.approx(0.0, abs=1e-6)


def test_of_one_example_the_kronecker_factors_are_exact() -> None:
    one = Examples(BATCH.inputs[:1], BATCH.targets[:1])
    result = curvature(parameters(), one)
    for name in ("kfac", "ekfac", "shampoo_squared"):
        assert result[f"{name}_distance"] == pytest.approx(0.0, abs=1e-6)
    assert result["diagonal_distance"] > 0.1


def test_no_approximation_in_kfacs_eigenbasis_is_nearer_than_ekfac() -> None:
    result = curvature(parameters())
    distances = {name: result[f"{name}_distance"] for name in APPROXIMATIONS}
    assert 0.0 < distances["ekfac"] <= distances["kfac"] < 1.0
    assert all(0.0 < distance < 1.0 for distance in distances.values())


def test_a_snapshot_that_is_evaluated_later_is_computed_with_its_own_weights() -> None:
    doubled = {name: 2 * value for name, value in parameters().items()}
    assert curvature(doubled) != curvature(parameters())
    assert torch.get_default_dtype() is torch.float32


def test_a_large_model_is_refused_with_the_largest_that_is_not() -> None:
    source = replace(SOURCE, sizes={**SIZES, "hidden": [40, 40]})
    shapes = {"hidden_1": (40, 6), "hidden_2": (40, 40), "output": (4, 40)}
    weights = {f"{n}.weight": np.zeros(shape, np.float32) for n, shape in shapes.items()}
    biases = {f"{n}.bias": np.zeros(shape[0], np.float32) for n, shape in shapes.items()}
    with pytest.raises(HarnessError, match="2084 parameters") as error:
        curvature(weights | biases, source=source)
    assert "at most 1500" in error.value.hint
