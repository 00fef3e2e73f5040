"""The residual network: one declaration, and the same numbers from both frameworks."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jax
import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError, UnknownNameError
from harness.providers import registry
from harness.submission.interface import Batch
from tests.tiers import nightly_but
from tests.workloads.capturing import capture_pass, problem_of
from tests.workloads.declared import data_of
from tests.workloads.parity import (
    Twin,
    apart,
    assert_declared,
    assert_same_evaluation,
    assert_same_pass,
    assert_same_training,
    torch_step,
)
from tests.workloads.smooth import smooth_batches
from workloads.data.patches import PatchGenerator, PatchSettings
from workloads.parameters import STATISTICS_MOMENTUM, Role
from workloads.resnet import data, model
from workloads.spec import Data, Sizes

WORKLOAD = registry.workload("resnet")
QUICK = WORKLOAD.at("quick")
VARIANTS = ("base", *QUICK.variants)
SHORT = QUICK.sizes | {"width": 8, "blocks": [1, 1]}
"""Two blocks, the second with a stride and a projection: what every commit compiles several of.
Below eight channels, gradients of convolutions write beyond their memory (torch 2.13 on a CPU)."""
SEED = "1" * 32
COUNT = 4
STEP = 0.01


@cache
def images() -> tuple[np.ndarray, np.ndarray]:
    sample = PatchGenerator(SEED, PatchSettings.model_validate(data_of(QUICK).settings))
    examples = sample.sample("train", 400)
    return examples.images, examples.labels


def batch(number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    part = slice(number * COUNT, (number + 1) * COUNT)
    return images()[0][part], images()[1][part]


def candidates() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return map(batch, range(len(images()[1]) // COUNT))


def twin(variant: str = "base") -> Twin:
    return Twin("resnet", SHORT if variant == "short" else QUICK.sizes_of(variant))


@pytest.mark.system
@pytest.mark.parametrize("variant", nightly_but(["base"], VARIANTS))
def test_both_frameworks_train_the_same_network(variant: str) -> None:
    pair = twin(variant)
    batches = smooth_batches(pair, candidates(), 10, STEP)
    assert_same_pass(pair, batches[0])
    assert_same_training(pair, lambda number: batches[number], STEP)


@pytest.mark.system
@pytest.mark.parametrize("variant", nightly_but(["group_norm"], ["base", "group_norm"]))
def test_what_only_the_large_network_has_is_the_same_in_both(variant: str) -> None:
    sizes = WORKLOAD.at("large").sizes_of(variant)
    pair = Twin("resnet", sizes | {"width": 32, "blocks": [1, 1], "classes": 10, "last_gain": 1.0})
    assert (pair.sizes["stem"], pair.sizes["block"]) == (7, "bottleneck")
    assert_same_pass(pair, smooth_batches(pair, candidates(), 1, STEP)[0])


@pytest.mark.system
@pytest.mark.parametrize("variant", nightly_but(["short"], ["short", *VARIANTS]))
def test_evaluations_agree(variant: str) -> None:
    inputs, targets = images()
    assert_same_evaluation(twin(variant), (inputs[:20], targets[:20]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_torch_model_has_what_is_declared(variant: str) -> None:
    assert_declared(twin(variant))


@pytest.mark.system
@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_captures_are_the_factors_of_the_kernels_gradients(framework: str) -> None:
    """The weight's gradient is the sum over examples and places of g and the unfolded input."""
    pair = twin("short")
    problem = problem_of(framework, pair)
    inputs, targets = batch()
    wrap = torch.from_numpy if framework == "torch" else (lambda x: x)
    kinds = {"torch": np.int64, "jax": np.int32}
    wrapped_batch = Batch(wrap(inputs), wrap(targets.astype(kinds[framework])))
    captures, gradients = capture_pass(framework, problem, wrapped_batch)
    assert set(captures) == {layer.name for layer in problem.layers}
    for layer in problem.layers:
        shape = gradients[layer.weight].shape
        unfolded, output_gradients = (
            torch.tensor(np.asarray(part)) for part in captures[layer.name]
        )
        if layer.kind == "convolution":
            unfolded = torch.nn.functional.unfold(
                unfolded, shape[2:], padding=layer.padding, stride=layer.stride
            ).transpose(1, 2)
            output_gradients = output_gradients.flatten(2).transpose(1, 2)
        product = output_gradients.flatten(0, -2).T @ unfolded.flatten(0, -2)
        assert apart(product.reshape(shape), gradients[layer.weight]) < 1e-5, layer.name


@pytest.mark.parametrize("variant", nightly_but(["short"], ["short", *VARIANTS]))
def test_the_batchs_statistics_are_torchs(variant: str) -> None:
    """What jax returns moves the running statistics as torch's own pass moves them."""
    pair = twin(variant)
    module = pair.torch_model(pair.start)
    torch_step(module, batch())
    wrapped_batch = jax.jit(pair.module("model_jax").build(pair.sizes))(pair.start, batch()[0])
    buffers = dict(module.named_buffers())
    assert set(wrapped_batch.statistics) == set(buffers)
    for spec in model.buffers(pair.sizes):
        value = (1 - STATISTICS_MOMENTUM) * spec.value
        expected = value + STATISTICS_MOMENTUM * np.asarray(wrapped_batch.statistics[spec.name])
        assert apart(buffers[spec.name].numpy(), expected) < 1e-5, spec.name


def test_kernels_start_as_he_says() -> None:
    specs = {spec.name: spec for spec in model.parameters(QUICK.sizes)}
    name = "stage_3_block_1.branch.1.convolution.weight"
    kernel, start = specs[name], twin().start[name]
    assert (kernel.role, kernel.is_normalised) == (Role.CONVOLUTION, True)
    assert (kernel.fan_in, kernel.fan_out) == (64 * 9, 64 * 9)
    assert start.std() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert specs["stem.norm.weight"].role is Role.NORM
    assert specs["stem.norm.bias"].role is Role.BIAS
    assert specs["output.weight"].role is Role.OUTPUT


def test_width_multipliers_follow_the_width_but_not_the_images() -> None:
    specs = {s.name: s for s in model.parameters(QUICK.sizes_of("wide"))}
    assert specs["stem.convolution.weight"].width_multiplier == 1.0
    others = {s.width_multiplier for n, s in specs.items() if n != "stem.convolution.weight"}
    assert others == {1.5}


@pytest.mark.parametrize(
    ("suite", "count"), [("quick", 78_042), ("standard", 11_173_962), ("large", 25_557_032)]
)
def test_the_networks_have_the_published_numbers_of_parameters(suite: str, count: int) -> None:
    """Those of ResNet-18 with a 3x3 stem and ten classes, and of torchvision's ResNet-50."""
    assert sum(s.size for s in model.parameters(WORKLOAD.at(suite).sizes)) == count


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "sine"}, "size 'activation' is 'sine'"),
        ({"stem": 4}, "size 'stem' is 4"),
        ({"depth": 3}, "size 'depth' is 3"),
        ({"normalisation": "group", "groups": 5}, "groups is 5; allowed: divisors of width = 16"),
    ],
)
def test_a_wrong_size_is_named(changes: Sizes, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        model.parameters(QUICK.sizes | changes)


@pytest.mark.parametrize("suite", ["quick", "standard", "large"])
def test_the_declaration_fits_its_data(suite: str) -> None:
    size = WORKLOAD.at(suite)
    assert size.train_examples == data_of(size).settings["train"]
    assert size.sizes["classes"] == data_of(size).settings.get("classes", 10)
    assert len(size.variants) >= 3
    for variant in size.variants:
        model.parameters(size.sizes_of(variant))


def test_class_numbers_are_permuted_by_the_instance(tmp_path: Path) -> None:
    settings = data_of(QUICK).settings | {"train": 200, "validation": 100}
    small = Data(source="patches", settings=settings)
    data.prepare(small, SEED, tmp_path, None)
    inputs = np.load(tmp_path / "train" / "inputs.npy", mmap_mode="r")
    targets = np.load(tmp_path / "train" / "targets.npy")
    names = data.class_names(SEED, 10)
    assert sorted(names) == list(range(10))
    assert not np.array_equal(names, data.class_names("2" * 32, 10))
    assert np.array_equal(inputs, images()[0][:200])
    assert np.array_equal(targets, names[images()[1][:200]])
    assert np.load(tmp_path / "validation" / "inputs.npy").shape == (100, 3, 16, 16)


def test_an_unknown_source_or_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'patch'; did you mean 'patches'"):
        data.prepare(Data(source="patch"), SEED, tmp_path, None)
    wrong = Data(source="patches", settings=data_of(QUICK).settings | {"patches_per_image": 0})
    with pytest.raises(HarnessError, match="resnet: data setting 'patches_per_image' is 0"):
        data.prepare(wrong, SEED, tmp_path, None)
