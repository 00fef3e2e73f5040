"""Building blocks of the image generators, in integer arithmetic on raw Philox words.

Everything here gives the same bytes on every machine. float32 arrays hold integers below 2^24,
whose sums and products are exact in any order; `exact` checks this.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
"""float32 arrays of the generators hold integers below 2^24."""
Bytes = npt.NDArray[np.uint8]

LATENT_BYTES = 4
LATENT_BOUND = LATENT_BYTES * 255 // 2
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]])
CHROMA_PENALTY = 4
CHUNK = 2000
"""Examples drawn at a time; determines the use of raw words and so is part of the format."""


class Sample(NamedTuple):
    """Images (n, ...), channels first, and labels (n,)."""

    images: Bytes
    labels: Integers


def near_gaussian(bits: np.random.Philox, rows: int, columns: int) -> npt.NDArray[np.int16]:
    """Centred sums of four uniform bytes, (rows, columns): near Gaussian, std 148."""
    words = bits.random_raw(LATENT_BYTES * rows * columns // 8).astype("<u8", copy=False)
    planes = words.view(np.uint8).reshape(LATENT_BYTES, rows, columns)
    sums = planes[0].astype(np.int16)
    for plane in planes[1:]:
        sums += plane
    centred_sums: npt.NDArray[np.int16] = sums - np.int16(LATENT_BOUND)
    return centred_sums


def chunks(count: int) -> Iterator[slice]:
    """Slices of CHUNK examples that cover a sample; the last may be shorter.

    Callers draw CHUNK examples for every slice and drop the excess, so that a shorter sample is a
    prefix of a longer one.
    """
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))


def random_signs(bits: np.random.Philox, count: int) -> Integers:
    """Random signs -1 and 1, (count,)."""
    return 1 - 2 * (bits.random_raw(count) >> np.uint64(63)).astype(np.int64)


def falling_amplitudes(top: int, count: int) -> Integers:
    """floor(top / sqrt(k)) for k from 1 to `count`, (count,): variances proportional to 1/k."""
    return np.array([math.isqrt(top**2 // k) for k in range(1, count + 1)])


def cosines(count: int, side: int) -> Integers:
    """The first `count` products of two cosines and a colour, times 2^9: (count, 3 side^2)."""
    # No value times 2^9 is close to a rounding tie, so last-bit differences in cos do not matter.
    table = np.array([round(512 * math.cos(math.pi * j / (2 * side))) for j in range(4 * side)])
    positions = np.arange(side)
    wave = table[((2 * positions[None, :] + 1) * positions[:, None]) % (4 * side)]
    rows = []
    for _, colour, u, v in _frequencies(side)[:count]:
        plane = (wave[u][:, None] * wave[v][None, :]) >> 9
        rows.append((OPPONENT[colour][:, None] * plane.ravel()[None, :]).ravel())
    return np.array(rows)


def _frequencies(side: int) -> list[tuple[int, int, int, int]]:
    """(squared frequency, colour, u, v), sorted; colour differences count as higher frequencies."""
    return sorted(
        ((u * u + v * v + 1) * (CHROMA_PENALTY if colour else 1), colour, u, v)
        for colour in range(len(OPPONENT))
        for u in range(side)
        for v in range(side)
    )


def exact(matrix: npt.NDArray[Any], bound: int, addend: int = 0) -> Floats:
    """Convert a matrix to float32, checking that its products with bounded vectors are exact.

    Args:
        matrix: integers, (entries of the vector, results).
        bound: the largest absolute value in the vector.
        addend: the largest value added to a result afterwards.

    Raises:
        ValueError: a sum could pass 2^24, beyond which float32 skips integers.
    """
    largest = int(np.abs(matrix).sum(axis=0).max()) * bound + addend
    if largest >= 2**24:
        raise ValueError(f"a sum in the generator can reach {largest}; allowed: below 2^24")
    return matrix.astype(np.float32)
