"""Generated images: ten classes, 16x16x3, distinguished by small patches on a natural background.

An image is a background with a natural image's spectrum, a sum of two-dimensional cosines in three
opponent colours, the k-th with variance proportional to 1/k, plus a few patches of its class, each
at a random position and with a random sign:

    x = clip(128 + floor(z B / 2^shift) + sum_j s_j a_j P_{y,j} at (r_j, c_j)),   s_j = +-1

P_{y,j} is a block of 5x5x3 signs and a_j its amplitude in grey levels. With balanced signs every
pixel has the same mean in all classes, so a linear classifier stays at chance level, and a network
must learn the patches' shapes and an even function of them. Its loss then has a saddle at the
start, from which a low learning rate escapes late or never. `positive` above a half removes the
saddle, but lets a linear classifier do slightly better than chance. A class has several patches of
decreasing amplitude and an image shows some of them, so accuracy rises gradually and not at once.

All instances are equally hard: the patches are one published set, and the instance seed transposes
and mirrors the images, permutes their channels and draws the sample. Everything is integer
arithmetic on raw Philox words: the same bytes on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from harness.core.seeds import philox
from workloads.data.exact import (
    CHUNK,
    LATENT_BOUND,
    Bytes,
    Floats,
    Integers,
    Sample,
    chunks,
    cosines,
    exact,
    falling_amplitudes,
    near_gaussian,
    random_signs,
)
from workloads.data.parallel import for_each_part
from workloads.spec import Count, Frozen

CHANNELS = 3
SIDE = 16
PIXELS = CHANNELS * SIDE * SIDE
CLASSES = 10
PATCH = 5
"""Side length of a patch, in pixels."""
PAINTED = 500
"""Images rendered at a time: 1.5 MB of float32, which fits in the CPU cache."""
TOP_AMPLITUDE = 320
SHIFT = 11
PUBLISHED = "patches-1"
"""Seed of the published patches."""


class PatchSettings(Frozen):
    """The generator's settings in `workload.toml`; the amplitudes determine the difficulty."""

    train: Count
    validation: Count
    latents: Annotated[int, Field(ge=1, le=PIXELS)] = 384
    """Number of cosines in a background."""
    amplitudes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=127)], ...], Field(min_length=1, max_length=16)
    ]
    """Amplitude of each of a class's patches, in grey levels; one entry per patch."""
    patches_per_image: Annotated[int, Field(ge=1, le=16)] = 1
    """Number of patches in an image, each drawn from those of its class."""
    positive: Annotated[int, Field(ge=0, le=256)] = 128
    """How many in 256 patches are shown with positive sign."""


@dataclass(frozen=True)
class PatchGenerator:
    """One instance's images, from its seed; `sample` draws examples."""

    seed: str
    settings: PatchSettings

    def sample(self, split: str, count: int) -> Sample:
        """Draw one split, images (count, 3, 16, 16); a shorter one is a prefix of a longer one."""
        latents, words = self._draw(split, count)
        labels = _below(words[:, 0], CLASSES)
        images = np.empty((count, CHANNELS, SIDE, SIDE), dtype=np.uint8)
        # Draw the hidden parameters here, before the threads need them.
        _ = self.basis, self.patches, self._symmetry

        def show(part: slice) -> None:
            images[part] = self._paint(latents[part], labels[part], words[part, 1:])

        for_each_part(show, count, PAINTED)
        return Sample(images, labels)

    @cached_property
    def basis(self) -> Floats:
        """B / 2^shift, (latents, 768): cosines by ascending frequency and descending amplitude."""
        count = self.settings.latents
        amplitudes = falling_amplitudes(TOP_AMPLITUDE, count)
        # Cosines are scaled by 2^9; scaling by a power of two is exact.
        waves = (amplitudes[:, None] * cosines(count, SIDE)) >> 9
        addend = 128 + self.settings.patches_per_image * max(self.settings.amplitudes)
        basis: Floats = exact(waves, LATENT_BOUND, addend << SHIFT) * np.float32(2.0**-SHIFT)
        return basis

    @cached_property
    def patches(self) -> Floats:
        """Grey levels, (classes, patches per class, 75): signs times amplitudes."""
        amplitudes = np.array(self.settings.amplitudes)
        shape = (CLASSES, len(amplitudes), CHANNELS * PATCH * PATCH)
        signs = random_signs(philox(PUBLISHED, "patches"), math.prod(shape)).reshape(shape)
        levels: Floats = (signs * amplitudes[:, None]).astype(np.float32)
        return levels

    @cached_property
    def _symmetry(self) -> tuple[bool, int, int, npt.NDArray[np.intp]]:
        """Whether to transpose, the slice steps of rows and columns (+-1), the channel order."""
        words = philox(self.seed, "patches-symmetry").random_raw(3 + CHANNELS)
        is_transposed, rows, columns = (int(word >> np.uint64(63)) for word in words[:3])
        return bool(is_transposed), 1 - 2 * rows, 1 - 2 * columns, np.argsort(words[3:])

    def _draw(self, split: str, count: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint64]]:
        """Latents (count, latents) and words (count, 1 + patches_per_image)."""
        bits = philox(self.seed, f"patches-{split}")
        latents = np.empty((count, self.settings.latents), dtype=np.int16)
        words = np.empty((count, 1 + self.settings.patches_per_image), dtype=np.uint64)
        for chunk in chunks(count):
            length = chunk.stop - chunk.start
            latents[chunk] = near_gaussian(bits, CHUNK, self.settings.latents)[:length]
            words[chunk] = bits.random_raw(words.shape[1] * CHUNK).reshape(CHUNK, -1)[:length]
        return latents, words

    def _paint(
        self, latents: npt.NDArray[np.int16], labels: Integers, words: npt.NDArray[np.uint64]
    ) -> Bytes:
        pixels = latents.astype(np.float32) @ self.basis
        pixels += np.float32(128)
        for column in words.T:
            kind = _below(column, len(self.settings.amplitudes))
            signs = self._signs(column)
            places = _places(column)
            pixels[np.arange(len(pixels))[:, None], places] += (
                signs[:, None] * self.patches[labels, kind]
            )
        # Truncation equals floor for positive values.
        images = np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)
        return self._transform(images.reshape(-1, CHANNELS, SIDE, SIDE))

    def _signs(self, words: npt.NDArray[np.uint64]) -> Floats:
        """(n,) signs -1 and 1, from the top byte of each word."""
        is_own = (words >> np.uint64(56)) < np.uint64(self.settings.positive)
        return np.where(is_own, np.float32(1), np.float32(-1))

    def _transform(self, images: Bytes) -> Bytes:
        is_transposed, rows, columns, channels = self._symmetry
        images = images.transpose(0, 1, 3, 2) if is_transposed else images
        return images[:, channels, ::rows, ::columns]


def _below(words: npt.NDArray[np.uint64], bound: int, first_bit: int = 0) -> Integers:
    """(n,) numbers from 0 to bound - 1, from sixteen bits of each word, for a small bound."""
    bits = (words >> np.uint64(first_bit)) & np.uint64(2**16 - 1)
    return np.asarray((bits * np.uint64(bound)) >> np.uint64(16), dtype=np.int64)


def _places(words: npt.NDArray[np.uint64]) -> Integers:
    """(n, 75) indices into a flat image, by (channel, row, column), of a patch inside the image."""
    room = SIDE - PATCH + 1
    corner = _below(words, room, 16) * SIDE + _below(words, room, 32)
    channel, row, column = np.indices((CHANNELS, PATCH, PATCH)).reshape(3, -1)
    inside = (channel * SIDE + row) * SIDE + column
    return np.asarray(corner[:, None] + inside[None, :], dtype=np.int64)
