"""The probes' model: both frameworks, and what its sizes mean."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.seeds import philox
from harness.providers import registry
from tests.probes.training import model_of, seed_of, splits_of
from workloads.parameters import Role, initial_parameters
from workloads.probes import model, model_jax, model_torch

PROBES = registry.suite("probes").workloads


@pytest.mark.parametrize("probe", PROBES)
def test_the_model_has_the_declared_parameters(probe: str) -> None:
    size = registry.workload(probe).at("probes")
    built = [(n, tuple(p.shape)) for n, p in model_of(probe, size).named_parameters()]
    assert built == [(spec.name, spec.shape) for spec in model.parameters(size.sizes)]


@pytest.mark.parametrize("probe", ["plateau", "layer_scales", "tied_layers", "idle_layer"])
def test_both_frameworks_return_the_same(probe: str) -> None:
    sizes = registry.workload(probe).at("probes").sizes
    start = initial_parameters(model.parameters(sizes), philox(seed_of(probe), "weights"))
    inputs = splits_of(probe).validation[0][:5]
    weights = {name: jnp.asarray(value) for name, value in start.items()}
    mine = np.asarray(model_jax.build(sizes)(weights, jnp.asarray(inputs)).logits)
    values = {name: torch.tensor(value) for name, value in start.items()}
    built = model_torch.build(sizes)
    other = torch.func.functional_call(built, values, (torch.tensor(inputs),))
    assert mine == pytest.approx(other.numpy(), rel=1e-4, abs=1e-5)


def test_multipliers_leave_the_function_at_the_start_alone() -> None:
    plain = {"inputs": 8, "hidden": [6], "outputs": 3, "activation": "tanh"}
    inputs = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    outputs = []
    for sizes in (plain, plain | {"multipliers": [0.01, 100.0]}):
        start = initial_parameters(model.parameters(sizes), philox("1" * 32, "weights"))
        values = {name: torch.tensor(value) for name, value in start.items()}
        outputs.append(torch.func.functional_call(model_torch.build(sizes), values, (inputs,)))
    one, other = outputs
    assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def test_tied_layers_are_one_weight_to_a_power() -> None:
    sizes = {"inputs": 5, "hidden": [5, 5, 5], "outputs": 2, "is_tied": True}
    built, inputs = model_torch.build(sizes), torch.eye(5)
    first, tied, last = (weight.detach() for weight in built.parameters())
    assert torch.allclose(built(inputs), (last @ tied @ tied @ first).T, atol=1e-6)
    assert [layer.name for layer in model.layers(sizes)] == ["hidden_1", "output"]


def test_an_idle_layer_has_a_gradient_of_exactly_zero() -> None:
    built = model_of("idle_layer", registry.workload("idle_layer").at("probes"))
    torch.autograd.backward(built(torch.ones(2, 64)).square().sum())
    gradients = {name: weight.grad for name, weight in built.named_parameters()}
    assert gradients["idle.weight"] is not None
    assert not gradients["idle.weight"].any()
    assert gradients["output.weight"] is not None
    assert gradients["output.weight"].all()


def test_a_single_matrix_is_a_hidden_one_unless_it_gives_classes() -> None:
    roles = {
        probe: model.parameters(registry.workload(probe).at("probes").sizes)[-1].role
        for probe in ("undisturbed", "rare_classes", "saddle")
    }
    assert roles == {
        "undisturbed": Role.HIDDEN_MATRIX,
        "rare_classes": Role.OUTPUT,
        "saddle": Role.OUTPUT,
    }


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(HarnessError, match="'gains' has 2 values; allowed: one for all"):
        model.parameters({"inputs": 4, "outputs": 2, "gains": [1.0, 2.0]})
