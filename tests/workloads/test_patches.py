"""The generated images: the same bytes everywhere, no linear shortcut, symmetric instances."""

import hashlib

import numpy as np
import pytest

from harness.providers import registry
from tests.workloads.declared import data_of
from workloads.data.exact import Sample
from workloads.data.patches import CLASSES, PATCH, SIDE, PatchGenerator, PatchSettings

SEED = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
SETTINGS = PatchSettings(train=1, validation=1, amplitudes=(40, 20, 10), patches_per_image=2)
SHA256 = "ec35909a17672ab2a67dd2ffe4bfcb9d91a582bf6ee7903e0d0ed5d752794d9f"


def generator(seed: str = SEED, **changes: object) -> PatchGenerator:
    settings = data_of(registry.workload("resnet").at("quick")).settings | changes
    return PatchGenerator(seed, PatchSettings.model_validate(settings))


def digest(sample: Sample) -> str:
    labels = sample.labels.astype("<i8").tobytes()
    return hashlib.sha256(sample.images.tobytes() + labels).hexdigest()


def test_the_same_bytes_on_every_machine() -> None:
    assert digest(PatchGenerator(SEED, SETTINGS).sample("train", 2500)) == SHA256


def test_shapes_and_types_are_those_of_images() -> None:
    images, labels = generator().sample("train", 30)
    assert images.shape == (30, 3, SIDE, SIDE)
    assert images.dtype == np.uint8
    assert images.flags.c_contiguous
    assert labels.dtype == np.int64


def test_a_shorter_sample_begins_a_longer_one() -> None:
    short, long = generator().sample("train", 100), generator().sample("train", 2100)
    assert np.array_equal(short.images, long.images[:100])
    assert np.array_equal(short.labels, long.labels[:100])


def test_seeds_and_splits_differ() -> None:
    samples = [
        generator().sample("train", 50),
        generator().sample("validation", 50),
        generator(OTHER).sample("train", 50),
    ]
    assert len({digest(sample) for sample in samples}) == 3


def test_an_instance_shows_whole_signed_patches_of_the_published_set() -> None:
    patch_generator = PatchGenerator(SEED, SETTINGS)
    latents, words = patch_generator._draw("train", 40)
    without = PatchGenerator(SEED, SETTINGS)
    vars(without)["patches"] = np.zeros_like(patch_generator.patches)
    labels = patch_generator.sample("train", 40).labels
    added = patch_generator._paint(latents, labels, words[:, 1:2]).astype(int)
    added -= without._paint(latents, labels, words[:, 1:2])
    is_turned, rows, columns, channels = patch_generator._symmetry
    for image, label in zip(added, labels, strict=True):
        original = np.empty_like(image)
        original[channels] = image[:, ::rows, ::columns]
        original = original.transpose(0, 2, 1) if is_turned else original
        assert any_patch_fits(original, patch_generator.patches[label])


def any_patch_fits(image: np.ndarray, patches: np.ndarray) -> bool:
    """Whether the image is one of the patches, with either sign, wherever it is not clipped."""
    pixels = np.argwhere(image)
    (top, left), (bottom, right) = pixels.min(0)[1:], pixels.max(0)[1:]
    assert bottom - top < PATCH
    assert right - left < PATCH
    fits = []
    for row in range(max(0, bottom - PATCH + 1), min(top, SIDE - PATCH) + 1):
        for column in range(max(0, right - PATCH + 1), min(left, SIDE - PATCH) + 1):
            block = image[:, row : row + PATCH, column : column + PATCH].ravel()
            agrees = (block * patches >= 0).all(1) | (block * patches <= 0).all(1)
            fits.append((agrees & (np.abs(block) <= np.abs(patches)).all(1)).any())
    return any(fits)


@pytest.mark.nightly
def test_with_even_signs_every_pixel_has_the_same_mean_in_all_classes() -> None:
    images, labels = generator(positive=128).sample("train", 40_000)
    means = np.array([images[labels == c].mean(0) for c in range(CLASSES)])
    noise = images.std(0) / np.sqrt(len(images) / CLASSES)
    assert np.abs((means - means.mean(0)) / noise).max() < 5


@pytest.mark.parametrize(("positive", "fraction"), [(0, 0.0), (128, 0.5), (224, 0.875), (256, 1.0)])
def test_so_many_of_256_patches_are_shown_with_their_own_sign(
    positive: int, fraction: float
) -> None:
    patch_generator = generator(positive=positive)
    _, words = patch_generator._draw("train", 4000)
    assert np.mean(patch_generator._signs(words[:, 1]) == 1) == pytest.approx(fraction, abs=0.02)


@pytest.mark.nightly
def test_the_tilted_signs_leave_a_linear_classifier_near_chance() -> None:
    train, fresh = generator().sample("train", 12_000), generator().sample("validation", 2000)
    assert 0.1 < linear_accuracy(train, fresh) < 0.2


def linear_accuracy(train: Sample, fresh: Sample) -> float:
    """What ridge regression on the pixels, with a bias, gets right."""
    inputs, unseen = (
        np.c_[
            sample.images.reshape(len(sample.images), -1) / 64.0 - 2.0, np.ones(len(sample.images))
        ]
        for sample in (train, fresh)
    )
    gram = inputs.T @ inputs + 10.0 * np.eye(inputs.shape[1])
    weights = np.linalg.solve(gram, inputs.T @ np.eye(CLASSES)[train.labels])
    return float(np.mean((unseen @ weights).argmax(1) == fresh.labels))


@pytest.mark.nightly
def test_classes_are_equally_frequent() -> None:
    fractions = np.bincount(generator().sample("train", 20_000).labels, minlength=CLASSES) / 20_000
    assert np.abs(fractions - 0.1).max() < 0.01


def test_the_spectrum_of_the_background_falls_with_frequency() -> None:
    images = generator(amplitudes=(1,)).sample("train", 4000).images.astype(np.float32)
    power = (np.abs(np.fft.rfft(images - images.mean(0))) ** 2).mean((0, 1, 2))
    assert (np.diff(np.log(power[1:])) < 0).all()
    assert power[1] > 4 * power[-1]


def test_instances_are_the_published_patches_turned() -> None:
    one, other = generator(), generator(OTHER)
    assert np.array_equal(one.patches, other.patches)
    assert digest(one.sample("train", 9)) != digest(other.sample("train", 9))


@pytest.mark.parametrize("amplitudes", [(), (0,), (128,)])
def test_amplitudes_without_meaning_are_refused(amplitudes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="amplitudes"):
        PatchSettings(train=1, validation=1, amplitudes=amplitudes)
