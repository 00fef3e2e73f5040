"""ImageNet's pixels, decoded once for all instances and then memory-mapped.

    <cache>/imagenet/<key>/{train,validation}/{inputs,classes}.npy

Images are resized to a shorter side of `side`, centre-cropped, and written to `inputs.npy`, uint8
(n, 3, side, side), a few at a time. An instance links to that file and writes its own targets.
Requires Pillow, the extra `images`.
"""

from __future__ import annotations

import importlib
import io
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.canonical import sha256_json
from harness.core.errors import HarnessError
from workloads.data import imagenet
from workloads.data.cache import get_or_make
from workloads.data.imagenet import EncodedImage, ImagenetSettings
from workloads.data.paths import current_cache_dir
from workloads.data.stamps import stamps

FORMAT_VERSION = 1
KIND = "imagenet"
AT_ONCE = 256
"""Images in memory at a time: 50 MB of pixels for a side of 256."""


def write_instance(
    settings: ImagenetSettings, data_dir: Path | None, names: npt.NDArray[np.int64], folder: Path
) -> None:
    """Write folder/{train,validation}/{inputs,targets}.npy, decoding first if necessary.

    Args:
        settings: image size and number of images.
        data_dir: the folder of `train` and `val`, or of `imagenet`; None for the default.
        names: the target of each class, (classes,).
        folder: the folder to write to.

    Raises:
        HarnessError: ImageNet is missing, broken or inconsistent with the settings, or Pillow is
            not installed.
    """
    source = get_or_make(
        current_cache_dir(),
        KIND,
        _key(settings, data_dir),
        lambda place: _decode(settings, data_dir, place),
    )
    for split in imagenet.SPLITS:
        (folder / split).mkdir(parents=True, exist_ok=True)
        _link(source / split / "inputs.npy", folder / split / "inputs.npy")
        classes = np.load(source / split / "classes.npy", allow_pickle=False)
        np.save(folder / split / "targets.npy", names[classes], allow_pickle=False)


def decode_image(image: EncodedImage, side: int) -> npt.NDArray[np.uint8]:
    """Decode an image to (3, side, side): shorter side resized to `side` (bicubic), centre-cropped.

    Raises:
        HarnessError: it is truncated or not an image, or Pillow is not installed.
    """
    pillow = _pillow()
    try:
        with pillow.open(io.BytesIO(image.content)) as file:
            picture = file.convert("RGB")
    except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
        raise HarnessError(
            f"cannot decode {image.name}: {error}", "download it again, or remove it"
        ) from error
    scale = side / min(picture.size)
    width, height = (max(side, round(length * scale)) for length in picture.size)
    picture = picture.resize((width, height), pillow.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    pixels = np.asarray(picture.crop((left, top, left + side, top + side)))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _decode(settings: ImagenetSettings, data_dir: Path | None, folder: Path) -> None:
    for split in imagenet.SPLITS:
        (folder / split).mkdir()
        shape = (settings.count(split), 3, settings.side, settings.side)
        pixels = _reserve(folder / split / "inputs.npy", shape)
        images = imagenet.read_images(settings, data_dir, split)
        classes = _fill(pixels, images, settings.side)
        if len(classes) != len(pixels):
            raise HarnessError(
                f"the {split} split of ImageNet has {len(classes)} images, but the data settings "
                f"declare {len(pixels)}",
                "download the missing images, or declare the subset in workload.toml",
            )
        pixels.flush()
        np.save(folder / split / "classes.npy", np.array(classes, dtype=np.int64))


def _reserve(file: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    pixels = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
    with file.open("r+b") as stream:
        # A mapped file is sparse. If the disk filled up later, the process would die of SIGBUS;
        # allocating it here raises an OSError instead.
        os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
    return pixels


def _fill(pixels: npt.NDArray[np.uint8], images: Iterator[EncodedImage], side: int) -> list[int]:
    """Decode in threads as many images as fit; return the classes of all images."""
    classes: list[int] = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        while some := list(islice(images, AT_ONCE)):
            room = some[: max(0, len(pixels) - len(classes))]
            for number, picture in enumerate(pool.map(lambda one: decode_image(one, side), room)):
                pixels[len(classes) + number] = picture
            classes += [image.label for image in some]
    return classes


def _key(settings: ImagenetSettings, data_dir: Path | None) -> str:
    files = stamps(imagenet.files(data_dir))
    return sha256_json(
        {"format": FORMAT_VERSION, "settings": settings.model_dump(mode="json"), "files": files}
    )[:40]


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # A different file system, or one without hard links.
        shutil.copyfile(source, target)


def _pillow() -> ModuleType:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as error:
        raise HarnessError(
            "decoding ImageNet needs Pillow, which is not installed",
            "pip install 'guided-descent[images]'",
        ) from error
