"""The residual network's data: generated images, CIFAR-10 or ImageNet, with permuted classes.

An instance's class numbers are a permutation of the source's, drawn from its seed, so that an
output layer trained for one instance is useless for another.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.core.errors import UnknownNameError
from harness.core.seeds import philox
from workloads.data import cifar10, imagenet
from workloads.data.cifar10 import CifarSettings
from workloads.data.decoding import write_instance
from workloads.data.exact import Sample
from workloads.data.imagenet import ImagenetSettings
from workloads.data.patches import CLASSES, PatchGenerator, PatchSettings
from workloads.data.split import write_split
from workloads.sizes import validate_settings
from workloads.spec import Data

NAME = "resnet"
SOURCES = ("cifar10", "imagenet", "patches")
CIFAR_SHAPE = (3, 32, 32)


def prepare(data: Data, instance_seed: str, folder: Path, data_dir: Path | None) -> None:
    """Write an instance's splits: folder/{train,validation[,test]}/{inputs,targets}.npy.

    `inputs` are uint8 (n, 3, side, side), `targets` int64 (n,).

    Args:
        data: the source (`patches`, `cifar10` or `imagenet`) and its settings.
        instance_seed: permutes the classes; for `patches` it also fixes the hidden symmetry and the
            sample.
        folder: an existing folder to write to.
        data_dir: folder of CIFAR-10 or ImageNet; None for the default location.

    Raises:
        HarnessError: the source or a setting is unknown, or the data are missing or broken.
    """
    if data.source == "imagenet":
        settings = validate_settings(ImagenetSettings, data.settings, NAME)
        names = class_names(instance_seed, settings.classes)
        write_instance(settings, data_dir, names, folder)
        return
    names = class_names(instance_seed, CLASSES)
    for split, sample in _samples(data, instance_seed, data_dir).items():
        write_split(folder, split, sample.images, names[sample.labels])


def source_files(data: Data, data_dir: Path | None) -> tuple[Path, ...]:
    """The files that `prepare` reads; an instance is rebuilt when one of them changes.

    Raises:
        HarnessError: CIFAR-10 or ImageNet is missing.
    """
    if data.source == "cifar10":
        return cifar10.files(data_dir)
    return imagenet.files(data_dir) if data.source == "imagenet" else ()


def class_names(seed: str, classes: int) -> npt.NDArray[np.int64]:
    """This instance's number for each of the source's classes, (classes,)."""
    words = philox(seed, "class-names").random_raw(classes)
    return np.asarray(np.argsort(words, kind="stable"), dtype=np.int64)


def _samples(data: Data, seed: str, data_dir: Path | None) -> dict[str, Sample]:
    if data.source == "patches":
        settings = validate_settings(PatchSettings, data.settings, NAME)
        generator = PatchGenerator(seed, settings)
        return {
            "train": generator.sample("train", settings.train),
            "validation": generator.sample("validation", settings.validation),
        }
    if data.source == "cifar10":
        parts = cifar10.split(validate_settings(CifarSettings, data.settings, NAME), data_dir)
        return {
            name: Sample(part.images.reshape(-1, *CIFAR_SHAPE), part.labels)
            for name, part in parts.items()
        }
    raise UnknownNameError(f"data source of '{NAME}'", data.source, SOURCES)
