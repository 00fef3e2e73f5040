from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness.core.errors import UnknownNameError
from harness.frameworks.jax import loss as jax_loss
from harness.frameworks.torch import loss as torch_loss

LOGITS = np.random.default_rng(0).standard_normal((3, 5, 4)).astype(np.float32)
VECTOR = np.random.default_rng(1).standard_normal((3, 5, 4)).astype(np.float32)
TARGETS = np.random.default_rng(2).integers(0, 4, (3, 5))

KINDS: dict[str, tuple[Any, Any]] = {
    "torch": (torch_loss.loss_of("cross_entropy"), torch.tensor),
    "jax": (jax_loss.loss_of("cross_entropy"), jnp.array),
}


@pytest.mark.parametrize("framework", KINDS)
def test_value_is_the_mean_negative_log_probability_of_all_targets(framework: str) -> None:
    loss, array = KINDS[framework]
    wide = LOGITS.astype(np.float64)
    log_probabilities = wide - np.log(np.exp(wide).sum(-1, keepdims=True))
    expected = -np.take_along_axis(log_probabilities, TARGETS[..., None], -1).mean()
    assert float(loss.value(array(LOGITS), array(TARGETS))) == pytest.approx(expected, rel=1e-6)
    each = loss.per_target(array(LOGITS), array(TARGETS))
    assert float(each.mean()) == pytest.approx(expected, rel=1e-6)


def test_torch_hessian_product_is_that_of_autograd() -> None:
    loss, array = KINDS["torch"]
    targets = array(TARGETS)
    _, expected = torch.autograd.functional.hvp(
        lambda z: loss.value(z, targets), array(LOGITS), array(VECTOR)
    )
    torch.testing.assert_close(loss.hessian_product(array(LOGITS), array(VECTOR)), expected)


def test_jax_hessian_product_is_that_of_autodiff() -> None:
    loss, array = KINDS["jax"]
    gradient = jax.grad(lambda z: loss.value(z, array(TARGETS)))
    expected = jax.jit(lambda z, v: jax.jvp(gradient, (z,), (v,))[1])(array(LOGITS), array(VECTOR))
    product = loss.hessian_product(array(LOGITS), array(VECTOR))
    np.testing.assert_allclose(product, expected, atol=1e-7)


@pytest.mark.parametrize("framework", KINDS)
def test_sampled_targets_have_the_models_distribution(framework: str) -> None:
    loss, array = KINDS[framework]
    logits = np.log(np.array([0.5, 0.25, 0.2, 0.05], dtype=np.float32))
    random = torch.Generator().manual_seed(0) if framework == "torch" else jax.random.key(0)
    targets = loss.sample_targets(array(np.tile(logits, (100, 200, 1))), random)
    assert targets.shape == (100, 200)
    fractions = np.bincount(np.asarray(targets).ravel(), minlength=4) / 20_000
    np.testing.assert_allclose(fractions, np.exp(logits), atol=0.015)


@pytest.mark.parametrize("framework", KINDS)
def test_targets_can_be_sampled_from_a_model_that_has_diverged(framework: str) -> None:
    loss, array = KINDS[framework]
    logits = np.array([[0.0, np.nan, 0.0], [np.inf, 0.0, 0.0]], dtype=np.float32)
    random = torch.Generator() if framework == "torch" else jax.random.key(0)
    assert set(np.asarray(loss.sample_targets(array(logits), random))) <= {0, 1, 2}


@pytest.mark.parametrize("module", [torch_loss, jax_loss])
def test_an_unknown_loss_names_the_known_ones(module: ModuleType) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'cross_entropy'"):
        module.loss_of("crossentropy")
