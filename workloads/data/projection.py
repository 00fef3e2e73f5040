"""Images to vectors: standardise each channel, then project onto a random orthonormal frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from harness.core.seeds import philox
from workloads.data.parallel import for_each_part, single_threaded_blas

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

CHANNELS = 3
CHUNK = 250
"""Images converted to float32 at a time: 3 MB, which fits in the CPU cache."""


def gaussian(seed: str, stream: str, shape: tuple[int, ...]) -> Doubles:
    """Standard normal numbers from a named stream, by inversion of raw Philox words."""
    raw = philox(seed, stream).random_raw(int(np.prod(shape)))
    uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return np.asarray(ndtri(uniform), dtype=np.float64).reshape(shape)


def frame(seed: str, inputs: int, outputs: int) -> Doubles:
    """The orthogonal factor of a Gaussian matrix, (inputs, outputs), with orthonormal columns.

    Signs are chosen such that the triangular factor has a positive diagonal, which makes the frame
    unique and uniformly distributed (Mezzadri, 2007, "How to generate random matrices from the
    classical compact groups").
    """
    with single_threaded_blas():
        orthogonal, triangular = np.linalg.qr(gaussian(seed, "projection", (inputs, outputs)))
    return np.asarray(orthogonal * np.sign(np.diag(triangular)), dtype=np.float64)


class Projection:
    """x -> Q^T ((x - mean) / std), with channel statistics of the training split.

    Args:
        seed: the instance seed; the frame Q comes from its stream `projection`.
        images: the training images, (n, 3 * pixels), by channel.
        outputs: dimension of the projection.
    """

    def __init__(self, seed: str, images: Images, outputs: int) -> None:
        mean, deviation = channel_statistics(images)
        pixels = images.shape[1] // CHANNELS
        scale = np.repeat(1.0 / deviation, pixels)[:, None]
        self.mean: Floats = np.repeat(mean, pixels).astype(np.float32)
        self.matrix: Floats = (frame(seed, images.shape[1], outputs) * scale).astype(np.float32)

    def __call__(self, images: Images) -> Floats:
        """Project images (n, 3 * pixels) to float32 vectors (n, outputs), C-contiguous."""
        vectors = np.empty((len(images), self.matrix.shape[1]), dtype=np.float32)

        def project(part: slice) -> None:
            np.matmul(images[part] - self.mean, self.matrix, out=vectors[part])

        for_each_part(project, len(images), CHUNK)
        return vectors


def channel_statistics(images: Images) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of each channel over all images and pixels, each (3,)."""
    total = np.zeros(CHANNELS)
    squares = np.zeros(CHANNELS)
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK].astype(np.float32)
        channels = part.reshape(len(part), CHANNELS, -1)
        total += channels.sum(axis=2).sum(axis=0, dtype=np.float64)
        squares += np.einsum("ncp,ncp->nc", channels, channels).sum(axis=0, dtype=np.float64)
    mean = total / (images.size / CHANNELS)
    return mean, np.sqrt(squares / (images.size / CHANNELS) - mean**2)
