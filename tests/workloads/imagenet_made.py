"""Tiny trees and shards in ImageNet's true formats, and instances prepared from them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from workloads.resnet import data
from workloads.spec import Data

CLASSES = ("n01440764", "n01443537")
SIDE = 256
SEED = "1" * 32
SETTINGS = {"side": SIDE, "classes": 2, "train": 4, "validation": 2}
DATA = Data(source="imagenet", settings=SETTINGS)


def prepare(source: Path, folder: Path, **settings: int) -> Path:
    """The folder, with an instance of the images in a source."""
    folder.mkdir(parents=True)
    changed = Data(source="imagenet", settings=SETTINGS | settings)
    data.prepare(changed, SEED, folder, source)
    return folder


def jpeg(number: int, size: tuple[int, int] = (300, 280)) -> bytes:
    """A smooth picture, (width, height), that the number decides."""
    width, height = size
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    planes = [(across + number * 40) % 256, (down + number * 20) % 256, (across + down) // 3 % 256]
    buffer = io.BytesIO()
    Image.fromarray(np.stack(planes, -1).astype(np.uint8)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def make_folders(place: Path) -> Path:
    """train/<wnid>/*.JPEG with two images a class, val/<wnid>/*.JPEG with one."""
    for label, wnid in enumerate(CLASSES):
        for split, count in (("train", 2), ("val", 1)):
            folder = place / split / wnid
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{wnid}_{number}.JPEG").write_bytes(jpeg(2 * label + number))
    return place


def make_tar(archive: Path, members: dict[str, bytes]) -> Path:
    """A tar of files."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w") as tar:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return archive


def make_shards(place: Path) -> Path:
    """train/*.tar of four images in two shards, val/*.tar of two: the images of `make_folders`."""
    pairs = [{f"{n:06}.jpg": jpeg(n), f"{n:06}.cls": str(n // 2).encode()} for n in range(4)]
    make_tar(place / "train" / "shard-000000.tar", pairs[0] | pairs[1])
    make_tar(place / "train" / "shard-000001.tar", pairs[2] | pairs[3])
    make_tar(place / "val" / "shard-000000.tar", pairs[0] | pairs[2])
    return place
