"""Random crops and mirrors of training images: a pure function of (seed, example position)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.core.seeds import philox
from harness.frameworks.order import Order
from workloads.spec import Augmentation

PADDING_VALUE = 128
"""The pixel value of the padding: mid-grey."""


class Crops(NamedTuple):
    """The crop of each image of an epoch, in the epoch's order: three arrays (examples,)."""

    top: npt.NDArray[np.int32]
    """The first row of the crop, in the padded image."""
    left: npt.NDArray[np.int32]
    """The first column of the crop."""
    flips: npt.NDArray[np.bool_]
    """Whether the image is mirrored left to right."""


def epoch_crops(seed: str, epoch: int, examples: int, side: int, how: Augmentation) -> Crops:
    """The crops of one epoch, counted from 0.

    Args:
        seed: the instance's seed.
        epoch: its number; each epoch draws from its own random stream, `crops-<epoch>`.
        examples: the number of examples in an epoch.
        side: the images' height and width before padding, in pixels.
        how: padding, crop size and mirroring.
    """
    words = philox(seed, f"crops-{epoch}").random_raw(examples)
    places = np.uint64(side + 2 * how.crop_padding - crop_side(side, how) + 1)
    low, half = np.uint64(2**16 - 1), np.uint64(16)
    # Sixteen bits times a small range: no place is favoured by more than 0.1 %.
    top = ((words & low) * places) >> half
    left = (((words >> half) & low) * places) >> half
    flips = (words >> np.uint64(63)).astype(np.bool_) & how.flip
    return Crops(top.astype(np.int32), left.astype(np.int32), flips)


def crops_at(order: Order, position: int, count: int, side: int, how: Augmentation) -> Crops:
    """The crops at `count` stream positions from `position`, across epoch ends."""
    parts = []
    while count > 0:
        epoch, offset = divmod(position, order.examples)
        crops = epoch_crops(order.seed, epoch, order.examples, side, how)
        parts.append([part[offset : offset + count] for part in crops])
        position += len(parts[-1][0])
        count -= len(parts[-1][0])
    return Crops(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def crop_side(side: int, how: Augmentation | None) -> int:
    """Height and width of the images that the model receives, in pixels."""
    return side if how is None or how.crop_to is None else how.crop_to


def centre(side: int, how: Augmentation | None) -> slice:
    """The rows (and columns) of a held-out image's centre crop."""
    width = crop_side(side, how)
    begin = (side - width) // 2
    return slice(begin, begin + width)
