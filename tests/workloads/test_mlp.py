"""The perceptron: one declaration, and the same numbers from both frameworks."""

from collections.abc import Mapping

import jax
import numpy as np
import optax
import pytest
import torch
from torch.nn import functional

from harness import registry
from harness.errors import HarnessError
from harness.seeds import philox
from workloads.functional_jax import Model
from workloads.mlp import model, model_jax, model_torch
from workloads.mlp.data import INPUTS, CifarSettings
from workloads.parameters import Role, initial_parameters
from workloads.spec import Sizes

QUICK = registry.workload("mlp").at("quick")
VARIANTS = ("base", *QUICK.variants)
Arrays = dict[str, np.ndarray]


def start(sizes: Sizes) -> Arrays:
    return initial_parameters(model.parameters(sizes), philox("1" * 32, "weights"))


def batch(number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(number)
    inputs = generator.standard_normal((128, 256)).astype(np.float32)
    return inputs, generator.integers(0, 10, 128)


def torch_model(sizes: Sizes, parameters: Mapping[str, np.ndarray]) -> torch.nn.Module:
    module = model_torch.build(sizes)
    module.load_state_dict({name: torch.tensor(value) for name, value in parameters.items()})
    return module


def torch_step(module: torch.nn.Module, number: int) -> tuple[np.ndarray, float, Arrays]:
    inputs, targets = batch(number)
    module.zero_grad()
    logits = module(torch.from_numpy(inputs))
    loss = functional.cross_entropy(logits, torch.from_numpy(targets))
    loss.backward()
    gradients = {name: p.grad.numpy() for name, p in module.named_parameters()}
    return logits.detach().numpy(), loss.item(), gradients


def jax_step(functions: Model, parameters: Arrays, number: int) -> tuple[np.ndarray, float, Arrays]:
    inputs, targets = batch(number)

    def loss_of(parameters):
        logits = functions.apply(parameters, inputs)
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean(), logits

    (loss, logits), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters)
    return np.asarray(logits), float(loss), gradients


def distance(one: Arrays, other: Arrays) -> float:
    assert list(one) == sorted(other, key=list(one).index)
    return max(float(np.abs(np.asarray(one[n]) - np.asarray(other[n])).max()) for n in one)


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_loss_and_gradients_agree(variant: str) -> None:
    sizes = QUICK.sizes_of(variant)
    parameters = start(sizes)
    logits, loss, gradients = torch_step(torch_model(sizes, parameters), 0)
    other_logits, other_loss, other = jax_step(model_jax.build(sizes), parameters, 0)
    assert np.abs(logits - other_logits).max() < 1e-5
    assert abs(loss - other_loss) < 1e-5
    assert distance(gradients, other) < 1e-5


@pytest.mark.parametrize("variant", VARIANTS)
def test_twenty_steps_of_sgd_stay_together(variant: str) -> None:
    sizes = QUICK.sizes_of(variant)
    parameters = start(sizes)
    module, functions = torch_model(sizes, parameters), model_jax.build(sizes)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for number in range(20):
        torch_step(module, number)
        optimizer.step()
        _, _, gradients = jax_step(functions, parameters, number)
        parameters = {name: parameters[name] - 0.1 * gradients[name] for name in parameters}
    trained = {name: p.detach().numpy() for name, p in module.named_parameters()}
    assert distance(trained, parameters) < 1e-4


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_torch_model_has_the_declared_parameters_in_order(variant: str) -> None:
    sizes = QUICK.sizes_of(variant)
    declared = [(spec.name, spec.shape) for spec in model.parameters(sizes)]
    built = [(n, tuple(p.shape)) for n, p in model_torch.build(sizes).named_parameters()]
    assert declared == built


def test_layers_are_modules_whose_hooks_fire() -> None:
    module = model_torch.build(QUICK.sizes)
    seen = []
    for layer in model.layers(QUICK.sizes):
        module.get_submodule(layer.name).register_forward_hook(
            lambda _module, inputs, output: seen.append((inputs[0].shape, output.shape))
        )
    module(torch.zeros(4, 256))
    assert seen == [((4, 256), (4, 256)), ((4, 256), (4, 256)), ((4, 256), (4, 10))]


def test_the_tap_gives_the_factors_of_the_weights_gradient() -> None:
    parameters, (inputs, targets) = start(QUICK.sizes), batch()
    functions = model_jax.build(QUICK.sizes)

    def loss_of(parameters, offsets):
        logits, layer_inputs = functions.apply_tapped(parameters, inputs, offsets)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()
        return loss, layer_inputs

    offsets = {"hidden_2": np.zeros((128, 256), np.float32)}
    (gradients, taps), layer_inputs = jax.grad(loss_of, argnums=(0, 1), has_aux=True)(
        parameters, offsets
    )
    assert list(layer_inputs) == ["hidden_2"]
    product = np.asarray(taps["hidden_2"]).T @ np.asarray(layer_inputs["hidden_2"])
    assert np.allclose(product, gradients["hidden_2.weight"], atol=1e-6)


def test_the_start_is_that_of_a_linear_module() -> None:
    specs = {spec.name: spec for spec in model.parameters(QUICK.sizes)}
    assert specs["hidden_1.weight"].role is Role.HIDDEN_MATRIX
    assert specs["output.weight"].role is Role.OUTPUT
    assert specs["output.bias"].role is Role.BIAS
    values = start(QUICK.sizes)
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
    declared = registry.workload("mlp").at(suite)
    made = declared.data.settings.get("train", CifarSettings().train)
    assert declared.train_examples == made
    assert declared.sizes["inputs"] == INPUTS
    assert len(declared.variants) >= 3
