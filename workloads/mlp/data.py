"""The perceptron's data: images, generated or CIFAR-10, each projected to a vector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.core.errors import UnknownNameError
from workloads.data import cifar10
from workloads.data.cifar10 import CifarSettings
from workloads.data.images import Generator, ImageSettings
from workloads.data.projection import Projection
from workloads.data.split import write_split
from workloads.sizes import validate_settings
from workloads.spec import Data

INPUTS = 256
"""Dimension of the projected images; `sizes.inputs` of every suite."""
SOURCES = ("cifar10", "images")


class Examples(Protocol):
    """Images (n, 3072) and labels (n,) from any source."""

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """Pixels, by channel, then row."""
        ...

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Classes, from 0."""
        ...


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write an instance's splits: folder/{train,validation[,test]}/{inputs,targets}.npy.

    `inputs` are float32 (n, 256), `targets` int64 (n,). The projection is drawn from the instance
    seed; channel means and standard deviations come from the training split.

    Args:
        data: the source (`images` or `cifar10`) and its settings.
        instance_seed: for `images` it also fixes the generator's hidden parameters and the sample.
        folder: an existing folder to write to.
        data_dir: folder of CIFAR-10; None for the default location.

    Raises:
        HarnessError: the source or a setting is unknown, or CIFAR-10 is missing.
    """
    if data.source not in SOURCES:
        raise UnknownNameError("data source of 'mlp'", data.source, SOURCES)
    splits: Mapping[str, Examples] = (
        _generate(data.settings, instance_seed)
        if data.source == "images"
        else cifar10.split(validate_settings(CifarSettings, data.settings, "mlp"), data_dir)
    )
    project = Projection(instance_seed, splits["train"].images, INPUTS)
    for name, split in splits.items():
        write_split(folder, name, project(split.images), split.labels)


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """The files that `prepare` reads; an instance is rebuilt when one of them changes.

    Raises:
        HarnessError: CIFAR-10 is missing.
    """
    return cifar10.files(data_dir) if data.source == "cifar10" else ()


def _generate(settings: Mapping[str, Any], seed: str) -> dict[str, Examples]:
    images = validate_settings(ImageSettings, settings, "mlp")
    generator = Generator(seed, images)
    return {
        "train": generator.sample("train", images.train),
        "validation": generator.sample("validation", images.validation),
    }
