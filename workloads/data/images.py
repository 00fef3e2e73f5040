"""Generated images: ten classes, 32x32x3, a natural image's spectrum, labels from a hidden teacher.

An image is a sum of two-dimensional cosines in three opponent colours, ordered by frequency; the
k-th has variance proportional to 1/k, and neighbours are mixed by a hidden rotation:

    x = clip(128 + floor(z B / 2^shift)),     z_k integers, near Gaussian, of equal variance

The label comes from a network that sees some of the latents z, all at equal scale; the choice of
latents and their signs are hidden:

    s = z U,    h = 16 |s| + tilt s,    y = argmax_c (h V)_c - offset_c

so a model must amplify directions of low variance (conditioning matters) and combine them
non-linearly: |s| is even, so a linear classifier can only use the odd part set by `tilt`.

Everything is integer arithmetic on raw Philox words: the same bytes on every machine. Matrix
products run in float32 for speed and are exact in any summation order, because the absolute values
in each sum stay below 2^24; `exact` checks this.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
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

SIDE = 32
PIXELS = 3 * SIDE * SIDE
CLASSES = 10
TOP_AMPLITUDE = 512
SHIFT = 11
PAINTED = 250
"""Images rendered at a time: 3 MB of float32, which fits in the CPU cache."""
GROUP = 16
"""Number of adjacent cosines mixed by one rotation."""
EVEN = 16
TEACHER = "teacher-7"
"""Seed of the published teacher: of sixty, the one with the most balanced classes."""
NEIGHBOURS = 4
"""Number of adjacent latents permuted in the teacher; their variances are nearly equal."""


class ImageSettings(Frozen):
    """The generator's settings in `workload.toml`; the teacher's sizes determine the difficulty."""

    train: Count
    validation: Count
    latents: Annotated[int, Field(ge=GROUP, le=1024, multiple_of=GROUP)] = 256
    """Number of cosines in an image."""
    teacher_first: Count = 1
    """The rank, from 1, of the first latent that the teacher sees."""
    teacher_latents: Count = 32
    teacher_units: Count = 32
    teacher_fan_in: Count = 4
    """Number of latents that enter a hidden unit of the teacher."""
    teacher_fan_out: Count = 8
    """Number of hidden units that enter a class score."""
    tilt: Annotated[int, Field(ge=0, le=16)] = 4
    """The odd part of a hidden unit, in sixteenths of the even part."""


@dataclass(frozen=True)
class Generator:
    """One instance's hidden parameters, from its seed; `sample` draws examples."""

    seed: str
    settings: ImageSettings

    def sample(self, split: str, count: int) -> Sample:
        """Draw one split; a shorter sample is a prefix of a longer one."""
        bits = philox(self.seed, f"images-{split}")
        latents = np.empty((count, self.settings.latents), dtype=np.int16)
        for chunk in chunks(count):
            draws = near_gaussian(bits, CHUNK, self.settings.latents)
            latents[chunk] = draws[: chunk.stop - chunk.start]
        images = np.empty((count, PIXELS), dtype=np.uint8)
        labels = np.empty(count, dtype=np.int64)

        def show(part: slice) -> None:
            values = latents[part].astype(np.float32)
            images[part] = self._paint(values)
            labels[part] = self._label(values)

        # Draw the hidden parameters here, before the threads need them.
        _ = self._scaled_basis, self.teacher, self.offset
        for_each_part(show, count, PAINTED)
        return Sample(images, labels)

    @cached_property
    def basis(self) -> Floats:
        """B, (latents, 3072): cosines by frequency, mixed within groups by a hidden rotation."""
        count = self.settings.latents
        bits = philox(self.seed, "images-basis")
        waves = cosines(count, SIDE).reshape(-1, GROUP, PIXELS)
        mixtures = np.stack([_rotation(bits) @ group for group in waves]).reshape(count, PIXELS)
        amplitudes = falling_amplitudes(TOP_AMPLITUDE, count)
        # Cosines are scaled by 2^9 and rotations by 2^2.
        return exact((amplitudes[:, None] * mixtures) >> 11, LATENT_BOUND, 128 << SHIFT)

    @cached_property
    def teacher(self) -> tuple[Floats, Floats]:
        """U, (teacher latents, units), and V, (units, classes), of -1, 0 and 1.

        One published network under hidden symmetries of the data, so that all instances are equally
        hard: the latents' signs, the order of adjacent latents, the numbering of the classes.
        """
        settings = self.settings
        latents = settings.teacher_latents
        bits = philox(TEACHER, "images-teacher")
        first = _signs(bits, latents, settings.teacher_units, settings.teacher_fan_in)
        second = _signs(bits, settings.teacher_units, CLASSES, settings.teacher_fan_out)
        instance_bits = philox(self.seed, "images-teacher")
        words = instance_bits.random_raw(latents)
        order = np.lexsort((words, np.arange(latents) // NEIGHBOURS))
        first = first[order] * random_signs(instance_bits, latents)[:, None]
        second = second[:, np.argsort(instance_bits.random_raw(CLASSES), kind="stable")]
        bound = 2 * EVEN * LATENT_BOUND * settings.teacher_fan_in
        return exact(first, LATENT_BOUND), exact(second, bound)

    @cached_property
    def offset(self) -> Floats:
        """Each class's mean score over a separate sample, (classes,), to balance the classes."""
        bits = philox(self.seed, "images-offset")
        latents = near_gaussian(bits, CHUNK, self.settings.latents).astype(np.float32)
        scores = self._scores(latents).astype(np.int64)
        means: Floats = (scores.sum(axis=0) // len(scores)).astype(np.float32)
        return means

    def _paint(self, latents: Floats) -> Bytes:
        # Scaling by a power of two is exact, and truncation equals floor for positive values.
        pixels = latents @ self._scaled_basis
        pixels += np.float32(128)
        return np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)

    @cached_property
    def _scaled_basis(self) -> Floats:
        return self.basis * np.float32(2.0**-SHIFT)

    def _label(self, latents: Floats) -> Integers:
        labels: Integers = (self._scores(latents) - self.offset).argmax(axis=1)
        return labels

    def _scores(self, latents: Floats) -> Floats:
        first, second = self.teacher
        begin = self.settings.teacher_first - 1
        sums = latents[:, begin : begin + self.settings.teacher_latents] @ first
        scores: Floats = (EVEN * np.abs(sums) + self.settings.tilt * sums) @ second
        return scores


def _rotation(bits: np.random.Philox) -> Integers:
    """A Hadamard matrix with random signs and order: 4 times an orthogonal matrix, (16, 16)."""
    hadamard = np.array([[1]])
    while len(hadamard) < GROUP:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    signs = random_signs(bits, GROUP)
    order = np.argsort(bits.random_raw(GROUP), kind="stable")
    return np.asarray(hadamard[order] * signs[None, :], dtype=np.int64)


def _signs(bits: np.random.Philox, rows: int, columns: int, entries: int) -> Integers:
    """A matrix of zeros with `entries` random signs at random positions in each column."""
    words = bits.random_raw(rows * columns).reshape(rows, columns)
    places = np.argsort(words, axis=0, kind="stable")[: min(entries, rows)]
    signs = random_signs(bits, places.size)
    matrix = np.zeros((rows, columns), dtype=np.int64)
    np.put_along_axis(matrix, places, signs.reshape(places.shape), axis=0)
    return matrix
