"""The generator: the same bytes everywhere, a power law, labels that need a non-linear model."""

import hashlib

import numpy as np
import pytest
import torch
from torch.nn import functional

from harness.core.seeds import philox
from harness.providers import registry
from tests.workloads.declared import data_of
from workloads.data.exact import CHUNK, Sample, near_gaussian
from workloads.data.images import CLASSES, Generator, ImageSettings
from workloads.data.parallel import single_threaded_blas
from workloads.data.projection import Projection
from workloads.mlp import model_torch

SEED = "0123456789abcdef0123456789abcdef"
SHA256 = "3a1fd27041e4455a5cbcbc615832799cc31ef39f10591baa3134033cce32eca7"


def generator(seed: str = SEED) -> Generator:
    settings = data_of(registry.workload("mlp").at("quick")).settings
    return Generator(seed, ImageSettings.model_validate(settings))


def digest(split: Sample) -> str:
    labels = split.labels.astype("<i8").tobytes()
    return hashlib.sha256(split.images.tobytes() + labels).hexdigest()


def test_the_same_bytes_on_every_machine() -> None:
    settings = ImageSettings(train=1, validation=1, teacher_first=9, teacher_fan_in=3)
    assert digest(Generator(SEED, settings).sample("train", 3000)) == SHA256


def test_the_products_are_those_of_integers() -> None:
    image_generator, latents = (
        generator(),
        near_gaussian(philox(SEED, "images-train"), CHUNK, 256)[:200].astype(np.int64),
    )
    pixels = (latents @ image_generator.basis.astype(np.int64) >> 11) + 128
    first, second = (matrix.astype(np.int64) for matrix in image_generator.teacher)
    begin = image_generator.settings.teacher_first - 1
    sums = latents[:, begin : begin + len(first)] @ first
    scores = (16 * np.abs(sums) + image_generator.settings.tilt * sums) @ second
    sample = image_generator.sample("train", 200)
    assert np.array_equal(sample.images, np.clip(pixels, 0, 255))
    assert np.array_equal(
        sample.labels, (scores - image_generator.offset.astype(np.int64)).argmax(axis=1)
    )


def test_a_shorter_sample_begins_a_longer_one() -> None:
    short, long = generator().sample("train", 100), generator().sample("train", 2100)
    assert np.array_equal(short.images, long.images[:100])
    assert np.array_equal(short.labels, long.labels[:100])


def test_seeds_and_splits_differ() -> None:
    samples = [
        generator().sample("train", 50),
        generator().sample("validation", 50),
        generator("f" * 32).sample("train", 50),
    ]
    assert len({digest(sample) for sample in samples}) == 3
    assert not np.array_equal(generator().basis, generator("f" * 32).basis)


def test_a_sum_that_float32_cannot_hold_is_refused() -> None:
    settings = ImageSettings(train=1, validation=1, teacher_units=512, teacher_fan_out=512)
    with pytest.raises(ValueError, match="allowed: below 2\\^24"):
        _ = Generator(SEED, settings).teacher


def test_the_spectrum_falls_as_a_power_law() -> None:
    images = generator().sample("train", 2000).images.astype(np.float32)
    centred = images - images.mean(axis=0)
    with single_threaded_blas():
        # The covariance's eigenvalues but for a factor, from the smaller of the two products.
        spectrum = np.linalg.eigvalsh(centred @ centred.T)[::-1][:200]
    ranks = np.log(np.arange(1, 201))
    slope, intercept = np.polyfit(ranks, np.log(spectrum), 1)
    residual = np.log(spectrum) - (slope * ranks + intercept)
    assert -1.5 < slope < -0.8
    assert 1 - residual.var() / np.log(spectrum).var() > 0.98


def test_every_class_occurs_and_none_rules() -> None:
    for seed in (SEED, "f" * 32, "5" * 32):
        fractions = (
            np.bincount(generator(seed).sample("train", 4000).labels, minlength=CLASSES) / 4000
        )
        assert fractions.min() > 0.06
        assert fractions.max() < 0.14


def test_instances_hide_which_latents_count_but_not_how() -> None:
    (first, second), (other_first, other_second) = generator().teacher, generator("f" * 32).teacher
    assert not np.array_equal(first, other_first)
    assert not np.array_equal(second, other_second)
    for group in range(0, len(first), 4):
        mine, theirs = np.abs(first[group : group + 4]), np.abs(other_first[group : group + 4])
        assert sorted(mine.tolist()) == sorted(theirs.tolist())
    assert sorted(second.T.tolist()) == sorted(other_second.T.tolist())


@pytest.mark.nightly
def test_a_linear_classifier_stays_ten_points_under_the_perceptron() -> None:
    train, held_out = generator().sample("train", 20_000), generator().sample("validation", 4000)
    project = Projection(SEED, train.images, 256)
    inputs, targets = torch.from_numpy(project(train.images)), torch.from_numpy(train.labels)
    sizes = registry.workload("mlp").at("quick").sizes
    torch.manual_seed(0)
    torch.set_num_threads(1)
    scores = {}
    for name, model, rate, steps in (
        ("linear", torch.nn.Linear(256, CLASSES), 1e-2, 1000),
        ("perceptron", model_torch.build(sizes), 2e-3, 1500),
    ):
        fit(model, inputs, targets, rate, steps)
        predicted = model(torch.from_numpy(project(held_out.images))).argmax(dim=1).numpy()
        scores[name] = (predicted == held_out.labels).mean()
    assert scores["linear"] + 0.10 <= scores["perceptron"]


def fit(
    model: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor, rate: float, steps: int
) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        batch = torch.randint(len(inputs), (128,))
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs[batch]), targets[batch]).backward()
        optimizer.step()
        schedule.step()
