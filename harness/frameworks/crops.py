"""Random crops and mirrors of training images: a pure function of (seed, example position)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.core.seeds import philox
from harness.frameworks.order import Order
from workloads.spec import Augmentation

PADDING_VALUE = 128
"""Mid-grey, what an image is padded with."""


class Crops(NamedTuple):
    """Where each image of an epoch is cut out, by its place in the epoch: three arrays (n,)."""

    top: npt.NDArray[np.int32]
    """The first row, in the padded image."""
    left: npt.NDArray[np.int32]
    """The first column."""
    flips: npt.NDArray[np.bool_]
    """Whether the columns run backwards."""


def epoch_crops(seed: str, epoch: int, examples: int, side: int, how: Augmentation) -> Crops:
    """The crops of one epoch, counted from 0.

    Args:
        seed: the instance's.
        epoch: each has its own stream of words, `crops-e`.
        examples: the length of an epoch.
        side: the images' height and width before padding.
        how: padding, size and mirroring.
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
    """The crops of the images at some positions of the stream, over the ends of epochs."""
    parts = []
    while count > 0:
        epoch, offset = divmod(position, order.examples)
        crops = epoch_crops(order.seed, epoch, order.examples, side, how)
        parts.append([part[offset : offset + count] for part in crops])
        position += len(parts[-1][0])
        count -= len(parts[-1][0])
    return Crops(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def crop_side(side: int, how: Augmentation | None) -> int:
    """The side of an image that the model sees."""
    return side if how is None or how.crop_to is None else how.crop_to


def centre(side: int, how: Augmentation | None) -> slice:
    """The rows and columns of a held-out image that are evaluated."""
    width = crop_side(side, how)
    begin = (side - width) // 2
    return slice(begin, begin + width)
