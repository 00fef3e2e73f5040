"""Crops and mirrors: the same images in both frameworks, whatever the batch sizes."""

from pathlib import Path

import numpy as np
import pytest

from harness.frameworks.crops import PADDING_VALUE, epoch_crops
from harness.frameworks.examples import Examples
from harness.frameworks.order import Order
from tests.frameworks.kit import SEED, Kit
from workloads.spec import Augmentation

COUNT, SIDE = 30, 6
HOWS = (
    Augmentation(crop_padding=2, flip=True),
    Augmentation(crop_to=4),
    Augmentation(crop_to=5, crop_padding=1, flip=True),
)


def images(count: int = COUNT) -> Examples:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count, 3, SIDE, SIDE), dtype=np.uint8)
    return Examples(pixels, random.integers(0, 9, count))


def by_hand(position: int, how: Augmentation) -> np.ndarray:
    epoch, offset = divmod(position, COUNT)
    crops = epoch_crops(SEED, epoch, COUNT, SIDE, how)
    image = images().inputs[Order(SEED, COUNT).slice(position, 1)[0]]
    pad = how.crop_padding
    padded = np.pad(image, ((0, 0), (pad, pad), (pad, pad)), constant_values=PADDING_VALUE)
    side, top, left = how.crop_to or SIDE, crops.top[offset], crops.left[offset]
    cut = padded[:, top : top + side, left : left + side]
    return cut[..., ::-1] if crops.flips[offset] else cut


@pytest.mark.parametrize("how", HOWS)
def test_an_image_depends_on_its_position_alone(kit: Kit, how: Augmentation) -> None:
    stream = kit.backend.stream(images(), Order(SEED, COUNT), 8, how)
    for count in (8, 8, 20, 1, 70):
        start = stream.position
        actual = np.asarray(stream.next(count).inputs)
        expected = np.stack([by_hand(start + place, how) for place in range(count)])
        np.testing.assert_array_equal(actual, expected)


def test_every_place_and_both_directions_occur() -> None:
    crops = epoch_crops(SEED, 0, 4000, SIDE, HOWS[0])
    assert set(crops.top) == set(crops.left) == set(range(5))
    assert 0.45 < crops.flips.mean() < 0.55
    assert np.bincount(crops.top).min() > 4000 / 5 * 0.85


def test_epochs_are_cropped_differently() -> None:
    first, second = (epoch_crops(SEED, epoch, COUNT, SIDE, HOWS[0]) for epoch in (0, 1))
    assert (first.top != second.top).any()


def test_a_mapped_split_gives_the_same_batches(kit: Kit, tmp_path: Path) -> None:
    data = images()
    np.save(tmp_path / "inputs.npy", data.inputs)
    np.save(tmp_path / "targets.npy", data.targets)
    mapped = Examples.open(tmp_path, limit_gib=1e-9)
    assert mapped.is_mapped
    resident = kit.backend.stream(data, Order(SEED, COUNT), 8, HOWS[0])
    on_host = kit.backend.stream(mapped, Order(SEED, COUNT), 8, HOWS[0])
    for count in (8, 30, 5):
        one, other = resident.next(count), on_host.next(count)
        np.testing.assert_array_equal(np.asarray(one.inputs), np.asarray(other.inputs))
        np.testing.assert_array_equal(np.asarray(one.targets), np.asarray(other.targets))
