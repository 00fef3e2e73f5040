"""The transformer: one declaration, and the same numbers from both frameworks."""

from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.providers import registry
from tests.tiers import nightly_but
from tests.workloads import hessian_products
from tests.workloads.capturing import assert_captures_are_factors, problem_of, tokens_of
from tests.workloads.full_size import losses_around_a_step
from tests.workloads.language_batches import LanguageBatches
from tests.workloads.parity import (
    Twin,
    apart,
    assert_declared,
    assert_same_evaluation,
    assert_same_pass,
    assert_same_training,
    farthest,
)
from tests.workloads.text_made import shard
from workloads.lm import model, model_jax, model_torch
from workloads.parameters import Role

QUICK = registry.workload("lm").at("quick")
VARIANTS = ("base", *QUICK.variants)
BASE_ALONE = nightly_but(["base"], VARIANTS)
"""Where a variant's gradients agree its steps have never differed."""
TIME = 16
batch = LanguageBatches(20, TIME, 2)
INPUTS, TARGETS = batch.all


@cache
def twin(variant: str = "base") -> Twin:
    """The whole model; kept, for compiling it takes longest."""
    return Twin("lm", QUICK.sizes_of(variant))


@cache
def shallow_twin(variant: str = "base") -> Twin:
    """One block of it, where compiling several functions of the whole would take long."""
    return Twin("lm", QUICK.sizes_of(variant) | {"depth": 1})


@pytest.mark.system
@pytest.mark.parametrize("variant", BASE_ALONE)
def test_logits_loss_and_gradients_agree(variant: str) -> None:
    assert_same_pass(twin(variant), batch())


@pytest.mark.system
def test_one_block_with_the_other_of_each_choice_agrees() -> None:
    """What the variants change one by one, in one compilation."""
    changes = {"activation": "swiglu", "mlp_width": 336, "norm": "layer", "placement": "post"}
    assert_same_pass(Twin("lm", QUICK.sizes | changes | {"depth": 1}), batch())


@pytest.mark.nightly
def test_they_agree_at_the_full_length() -> None:
    assert_same_pass(twin(), LanguageBatches(1, 128, 1).all)


@pytest.mark.parametrize("variant", BASE_ALONE)
def test_ten_steps_of_sgd_stay_together(variant: str) -> None:
    assert_same_training(twin(variant), batch, 0.1)


@pytest.mark.nightly
@pytest.mark.parametrize("variant", VARIANTS)
def test_both_referees_give_the_same_metric(variant: str) -> None:
    assert_same_evaluation(shallow_twin(variant), (INPUTS, TARGETS))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_torch_model_has_the_declared_parameters_in_order(variant: str) -> None:
    assert_declared(twin(variant))


@pytest.mark.system
@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize("variant", nightly_but(["base"], ["base", "gated"]))
def test_captures_give_the_weights_gradients(framework: str, variant: str) -> None:
    assert_captures_are_factors(framework, shallow_twin(variant), batch())


def test_no_position_sees_a_later_token() -> None:
    module = twin().torch_model(twin().start)
    tokens = torch.tensor(INPUTS[:2].astype(np.int32))
    changed = tokens.clone()
    changed[:, 10] = (changed[:, 10] + 1) % 512
    one, other = module(tokens), module(changed)
    assert torch.allclose(one[:, :10], other[:, :10], atol=1e-6)
    assert not torch.allclose(one[:, 10], other[:, 10], atol=1e-3)


def test_rotated_products_depend_on_the_distance_alone() -> None:
    query, key = torch.randn(2, 1, 1, 1, 32).unbind()
    rotation = model_torch.rotation_of(9, 32, query)
    queries = model_torch.rotate(query.expand(1, 9, 1, 32), rotation)[0, :, 0]
    keys = model_torch.rotate(key.expand(1, 9, 1, 32), rotation)[0, :, 0]
    products = queries @ keys.T
    for distance in range(-8, 9):
        diagonal = products.diagonal(distance)
        assert torch.allclose(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-5)
    assert not torch.allclose(products[0, 0], products[1, 0], atol=1e-3)


# The first forward-mode derivative makes torch script its own decompositions.
@pytest.mark.system
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_torch_hessian_products_agree_with_those_of_jax() -> None:
    """Reverse over reverse and forward over reverse in torch, forward over reverse in jax."""
    expected = hessian_products.in_jax(shallow_twin(), batch())
    for of_torch in (hessian_products.in_torch, hessian_products.in_torch_forward):
        distance, name = farthest(of_torch(shallow_twin(), batch()), expected)
        assert distance < 1e-3, name


def test_layers_of_the_live_model_use_the_fused_kernel_again_after_evaluate() -> None:
    problem, token_batch = problem_of("torch", shallow_twin()), tokens_of("torch", batch())
    before = problem.batch_loss(token_batch).item()
    assert problem.evaluate(problem.parameters, token_batch).loss.item() == pytest.approx(
        before, rel=1e-6
    )
    assert all(block.is_fused for block in problem.model.blocks)


def test_roles_and_normalised_matrices() -> None:
    specs = {spec.name: spec for spec in model.parameters(QUICK.sizes)}
    assert specs["embedding.weight"].role is Role.EMBEDDING
    assert specs["blocks.0.attention_norm.weight"].role is Role.NORM
    normalised = {name.split(".")[2] for name, spec in specs.items() if spec.is_normalised}
    assert normalised == {"query", "key"}
    hidden = [s for s in specs.values() if s.role is Role.HIDDEN_MATRIX]
    assert [s.name for s in hidden] == [layer.weight for layer in model.layers(QUICK.sizes)]
    assert Role.BIAS not in {spec.role for spec in specs.values()}


def test_the_scale_of_normalised_matrices_does_not_matter() -> None:
    start = dict(twin().start)
    normalised = {spec.name for spec in twin().specs if spec.is_normalised}
    scaled = {n: 3 * v if n in normalised else v for n, v in start.items()}
    tokens = torch.tensor(INPUTS[:2].astype(np.int32))
    one, other = (twin().torch_model(p)(tokens).detach() for p in (start, scaled))
    assert torch.allclose(one, other, atol=1e-4)


def test_width_multipliers_follow_the_width() -> None:
    specs = {s.name: s for s in model.parameters(QUICK.sizes_of("wide"))}
    multipliers = {s.width_multiplier for s in specs.values() if s.role is not Role.NORM}
    assert multipliers == {1.5}
    assert specs["blocks.0.query_norm.weight"].width_multiplier == 1.0


@pytest.mark.system
def test_bfloat16_in_jax_stays_near_float32() -> None:
    forward = jax.jit(model_jax.build(shallow_twin().sizes))
    low = {n: jax.numpy.asarray(v, jax.numpy.bfloat16) for n, v in shallow_twin().start.items()}
    tokens = INPUTS[:2].astype(np.int32)
    rough, exact = (forward(p, tokens).logits for p in (low, dict(shallow_twin().start)))
    assert rough.dtype == jax.numpy.bfloat16
    assert apart(np.asarray(rough, np.float32), exact) < 0.05


@pytest.mark.parametrize(("key", "value"), [("activation", "sine"), ("depth", 0), ("bias", True)])
def test_a_wrong_size_is_named(key: str, value: object) -> None:
    with pytest.raises(HarnessError, match=f"lm: size '{key}'.*{value!r}"):
        model.parameters(QUICK.sizes | {key: value})


def test_heads_must_part_the_width() -> None:
    with pytest.raises(HarnessError, match=r"width is 128; allowed: multiples of 2 . heads = 6"):
        model.parameters(QUICK.sizes | {"heads": 3})


@pytest.mark.slow
def test_large_makes_a_step_at_full_size_from_a_shard(tmp_path: Path) -> None:
    folder = tmp_path / "fineweb"
    folder.mkdir()
    for name in ("val_000000.bin", "train_000001.bin"):
        shard(folder / name, np.random.default_rng(1).integers(0, 50257, 2000))
    before, after = losses_around_a_step("lm", folder, tmp_path / "instance")
    assert before == pytest.approx(np.log(50304), abs=0.5)
    assert after < before
