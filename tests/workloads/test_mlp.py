"""The perceptron: one declaration, and the same numbers from both frameworks."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from harness.core.errors import HarnessError
from harness.providers import registry
from tests.workloads.declared import data_of
from tests.workloads.parity import (
    Twin,
    assert_declared,
    assert_same_evaluation,
    assert_same_pass,
    assert_same_training,
)
from workloads.data.cifar10 import CifarSettings
from workloads.mlp import model, model_jax, model_torch
from workloads.mlp.data import INPUTS
from workloads.parameters import Role

Values = Mapping[str, jax.Array]
QUICK = registry.workload("mlp").at("quick")
VARIANTS = ("base", *QUICK.variants)


def batch(number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(number)
    inputs = generator.standard_normal((128, 256)).astype(np.float32)
    return inputs, generator.integers(0, 10, 128)


@pytest.fixture(params=VARIANTS)
def twin(request: pytest.FixtureRequest) -> Twin:
    return Twin("mlp", QUICK.sizes_of(request.param))


def test_the_model_is_as_declared(twin: Twin) -> None:
    assert_declared(twin)


def test_logits_loss_and_gradients_agree(twin: Twin) -> None:
    assert_same_pass(twin, batch())


def test_steps_of_sgd_stay_together(twin: Twin) -> None:
    assert_same_training(twin, batch, learning_rate=0.1)


@pytest.mark.system
def test_the_evaluation_gives_the_same_metrics(twin: Twin) -> None:
    assert_same_evaluation(twin, batch())


def test_layers_are_modules_whose_hooks_fire() -> None:
    module = model_torch.build(QUICK.sizes)
    shapes = []
    for layer in model.layers(QUICK.sizes):
        module.get_submodule(layer.name).register_forward_hook(
            lambda _module, inputs, output: shapes.append((inputs[0].shape, output.shape))
        )
    module(torch.zeros(4, 256))
    assert shapes == [((4, 256), (4, 256)), ((4, 256), (4, 256)), ((4, 256), (4, 10))]


@pytest.mark.system
def test_the_tap_gives_the_factors_of_the_weights_gradient() -> None:
    parameters, (inputs, targets) = Twin("mlp", QUICK.sizes).start, batch()
    forward = model_jax.build(QUICK.sizes)

    def loss_of(parameters: Values, offsets: Values) -> tuple[jax.Array, Values]:
        outputs = forward(parameters, jnp.asarray(inputs), offsets=offsets)
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs.logits, targets)
        return losses.mean(), outputs.layer_inputs

    offsets = {"hidden_2": np.zeros((128, 256), np.float32)}
    (gradients, captures), layer_inputs = jax.grad(loss_of, argnums=(0, 1), has_aux=True)(
        parameters, offsets
    )
    assert list(layer_inputs) == ["hidden_2"]
    product = np.asarray(captures["hidden_2"]).T @ np.asarray(layer_inputs["hidden_2"])
    assert np.allclose(product, gradients["hidden_2.weight"], atol=1e-6)


def test_the_start_is_that_of_a_linear_module() -> None:
    specs = {spec.name: spec for spec in model.parameters(QUICK.sizes)}
    assert specs["hidden_1.weight"].role is Role.HIDDEN_MATRIX
    assert specs["output.weight"].role is Role.OUTPUT
    assert specs["output.bias"].role is Role.BIAS
    values = Twin("mlp", QUICK.sizes).start
    for name in ("hidden_1.weight", "hidden_2.bias", "output.weight"):
        assert np.abs(values[name]).max() <= 1 / 16
        assert values[name].std() == pytest.approx(1 / 16 / 3**0.5, rel=0.1)


def test_width_multipliers_follow_the_hidden_width_alone() -> None:
    specs = {s.name: s for s in model.parameters(QUICK.sizes_of("wide"))}
    multipliers = {name: spec.width_multiplier for name, spec in specs.items()}
    assert multipliers["hidden_1.weight"] == 1.0
    assert multipliers["hidden_2.weight"] == multipliers["output.weight"] == 2.0


@pytest.mark.parametrize(("key", "value"), [("activation", "sine"), ("hidden", []), ("depth", 3)])
def test_a_wrong_size_is_named(key: str, value: object) -> None:
    with pytest.raises(HarnessError, match=f"size '{key}'.*{value!r}".replace("[]", r"\[\]")):
        model.parameters(QUICK.sizes | {key: value})


@pytest.mark.parametrize("suite", ["quick", "standard"])
def test_the_declared_number_of_examples_is_the_one_made(suite: str) -> None:
    size = registry.workload("mlp").at(suite)
    count = data_of(size).settings.get("train", CifarSettings().train)
    assert size.train_examples == count
    assert size.sizes["inputs"] == INPUTS
    assert len(size.variants) >= 3
