"""Reconstruction errors and distances under random projection and under principal components.

With an orthonormal frame Q, (D, d), and a centre m: x^ = m + Q Q^T (x - m). For a uniformly random
Q the expected error is (1 - d / D) times the mean square of x - m, and the expectation of (D / d)
|Q^T v|^2 / |v|^2 is 1 (Dasgupta and Gupta, 2003).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.projection_spec import ImageSet
from harness.core.errors import HarnessError
from workloads.data import cifar10
from workloads.data.cifar10 import CifarSettings
from workloads.data.images import Generator, ImageSettings
from workloads.data.projection import Doubles, frame

SEED = "experiments"
METHODS = ("raw", "mean removed", "pca")
QUANTILES = (0.025, 0.5, 0.975)


@dataclass(frozen=True, eq=False)
class Images:
    """Pixels from 0 to 1, (n, D), of training and held-out images."""

    train: Doubles
    held_out: Doubles

    @cached_property
    def mean(self) -> Doubles:
        """The mean of the training images, (D,)."""
        return np.asarray(self.train.mean(axis=0))

    @cached_property
    def components(self) -> Doubles:
        """Eigenvectors of the training images' covariance, (D, D), by falling eigenvalue."""
        deviations = self.train - self.mean
        _, vectors = np.linalg.eigh(deviations.T @ deviations)
        return np.asarray(vectors[:, ::-1])


def load_images(image_set: ImageSet, data_dir: Path | None) -> Images:
    """The images of a form.

    Raises:
        HarnessError: CIFAR-10 is missing; the message says what to do.
    """
    if image_set.source == "images":
        settings = ImageSettings(train=image_set.train, validation=image_set.held_out)
        generator = Generator(SEED, settings)
        train = generator.sample("train", image_set.train).images
        held_out = generator.sample("validation", image_set.held_out).images
    else:
        try:
            splits = cifar10.split(CifarSettings(), data_dir)
        except HarnessError as error:
            way_out = "or run the small form, on generated images: --quick"
            raise HarnessError(error.message, f"{error.hint}\n  {way_out}") from error
        train = splits["train"].images[: image_set.train]
        held_out = splits["validation"].images[: image_set.held_out]
    return Images(train / 255.0, held_out / 255.0)


def reconstruct(images: Images, method: str, dimension: int) -> Doubles:
    """The held-out images after projection and back, (n, D), by one of `METHODS`."""
    pixels = images.train.shape[1]
    centre = np.zeros(pixels) if method == "raw" else images.mean
    basis = images.components[:, :dimension] if method == "pca" else frame(SEED, pixels, dimension)
    return np.asarray(centre + (images.held_out - centre) @ basis @ basis.T)


def errors(images: Images, dimensions: tuple[int, ...]) -> pd.DataFrame:
    """The mean squared error per pixel, with columns `method`, `dimension` and `error`."""
    return pd.DataFrame(_error_rows(images, dimensions))


def distances(images: Images, dimensions: tuple[int, ...]) -> pd.DataFrame:
    """Quantiles of the relative squared distance, with columns `dimension`, `low`, `median`,
    `high`.
    """
    held_out = images.held_out
    differences = held_out[1:] - held_out[:-1]
    before = np.square(differences).sum(axis=1)
    rows = []
    for dimension in dimensions:
        projections = differences @ frame(SEED, held_out.shape[1], dimension)
        scale = held_out.shape[1] / dimension
        ratios = scale * np.square(projections).sum(axis=1) / before
        rows.append([dimension, *np.quantile(ratios, QUANTILES)])
    return pd.DataFrame(rows, columns=["dimension", "low", "median", "high"])


def _error_rows(images: Images, dimensions: tuple[int, ...]) -> Iterator[dict[str, object]]:
    for method in METHODS:
        for dimension in dimensions:
            residual = images.held_out - reconstruct(images, method, dimension)
            yield {
                "method": method,
                "dimension": dimension,
                "error": float(np.square(residual).mean()),
            }
