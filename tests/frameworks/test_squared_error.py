"""Squared error against closed forms, autodiff and the other framework."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.frameworks.jax import loss as jax_loss
from harness.frameworks.torch import loss as torch_loss
from workloads.losses import LOSSES

SHAPE = (3, 5, 4)
PREDICTIONS, VECTOR, TARGETS = (
    np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32) for seed in range(3)
)
COUNT = 60
KINDS: dict[str, tuple[Any, Any]] = {
    "torch": (torch_loss.loss_of("squared_error"), torch.tensor),
    "jax": (jax_loss.loss_of("squared_error"), jnp.array),
}


def random_of(framework: str) -> torch.Generator | jax.Array:
    return torch.Generator().manual_seed(0) if framework == "torch" else jax.random.key(0)


@pytest.mark.parametrize("framework", KINDS)
def test_value_is_the_mean_over_all_entries_without_a_half(framework: str) -> None:
    loss, array = KINDS[framework]
    squares = np.square(PREDICTIONS.astype(np.float64) - TARGETS)
    value = loss.value(array(PREDICTIONS), array(TARGETS))
    assert float(value) == pytest.approx(squares.sum() / COUNT, rel=1e-6)
    each = np.asarray(loss.per_target(array(PREDICTIONS), array(TARGETS)))
    np.testing.assert_allclose(each.ravel(), squares.ravel(), rtol=1e-5)


@pytest.mark.parametrize("framework", KINDS)
def test_hessian_product_is_two_over_the_number_of_entries(framework: str) -> None:
    loss, array = KINDS[framework]
    product = np.asarray(loss.hessian_product(array(PREDICTIONS), array(VECTOR)))
    np.testing.assert_allclose(product, 2.0 * VECTOR / COUNT, rtol=1e-6)


def test_torch_hessian_product_is_that_of_autograd() -> None:
    loss, array = KINDS["torch"]
    targets = array(TARGETS)
    _, expected = torch.autograd.functional.hvp(
        lambda z: loss.value(z, targets), array(PREDICTIONS), array(VECTOR)
    )
    torch.testing.assert_close(loss.hessian_product(array(PREDICTIONS), array(VECTOR)), expected)


def test_jax_hessian_product_is_that_of_autodiff() -> None:
    loss, array = KINDS["jax"]
    gradient = jax.grad(lambda z: loss.value(z, array(TARGETS)))
    expected = jax.jvp(gradient, (array(PREDICTIONS),), (array(VECTOR),))[1]
    product = loss.hessian_product(array(PREDICTIONS), array(VECTOR))
    np.testing.assert_allclose(product, expected, atol=1e-7)


@pytest.mark.parametrize("framework", KINDS)
def test_sampled_targets_are_normal_about_the_predictions(framework: str) -> None:
    loss, array = KINDS[framework]
    means = np.tile(np.array([-2.0, 0.0, 5.0], dtype=np.float32), (40_000, 1))
    targets = np.asarray(loss.sample_targets(array(means), random_of(framework)))
    assert (targets.shape, targets.dtype.name) == (means.shape, "float32")
    np.testing.assert_allclose(targets.mean(0), means[0], atol=0.02)
    np.testing.assert_allclose(np.cov(targets.T), 0.5 * np.eye(3), atol=0.02)


@pytest.mark.parametrize("framework", KINDS)
def test_the_fisher_matrix_of_sampled_targets_is_the_hessian(framework: str) -> None:
    """N E[g^2] = 2 / N for the gradient g of the mean loss in one prediction."""
    loss, array = KINDS[framework]
    predictions = array(np.zeros(40_000, dtype=np.float32))
    targets = loss.sample_targets(predictions, random_of(framework))
    if framework == "torch":
        leaf = predictions.requires_grad_()
        (gradient,) = torch.autograd.grad(loss.value(leaf, targets), leaf)
    else:
        gradient = jax.grad(loss.value)(predictions, targets)
    count = len(predictions)
    fisher = count * np.square(np.asarray(gradient)).mean()
    assert fisher == pytest.approx(2.0 / count, rel=0.03)


@pytest.mark.parametrize("framework", KINDS)
def test_no_gradient_flows_through_sampled_targets(framework: str) -> None:
    loss, array = KINDS[framework]
    random = random_of(framework)
    if framework == "torch":
        leaf = array(PREDICTIONS).requires_grad_()
        assert not loss.sample_targets(leaf, random).requires_grad
    else:
        slope = jax.grad(lambda z: loss.sample_targets(z, random).sum())(array(PREDICTIONS))
        assert not np.asarray(slope).any()


@pytest.mark.parametrize("framework", KINDS)
@pytest.mark.parametrize("method", ["value", "per_target", "metrics"])
def test_other_shapes_are_refused_rather_than_broadcast(framework: str, method: str) -> None:
    loss, array = KINDS[framework]
    predictions, targets = array(np.zeros((8, 1), np.float32)), array(np.zeros(8, np.float32))
    with pytest.raises(HarnessError, match=r"shape \(8, 1\), their targets \(8,\)"):
        getattr(loss, method)(predictions, targets)


def test_both_frameworks_agree() -> None:
    for method in ("value", "per_target"):
        mine, other = (
            np.asarray(getattr(loss, method)(array(PREDICTIONS), array(TARGETS))).ravel()
            for loss, array in KINDS.values()
        )
        np.testing.assert_allclose(mine, other, rtol=1e-6)


@pytest.mark.parametrize("module", [torch_loss, jax_loss])
def test_each_framework_has_every_declared_loss_and_its_metrics(module: ModuleType) -> None:
    assert list(module.LOSSES) == list(LOSSES)
    array = torch.tensor if module is torch_loss else jnp.array
    for name, spec in LOSSES.items():
        classes = array(np.zeros(SHAPE[:-1], dtype=np.int64))
        targets = classes if spec.targets == "classes" else array(TARGETS)
        metrics = module.loss_of(name).metrics(array(PREDICTIONS), targets)
        assert tuple(metrics) == spec.metrics
        assert spec.metrics[0] == "loss"
