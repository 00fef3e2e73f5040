"""ImageNet on disk: folders of JPEGs, or tar shards.

    DIR/train/<wnid>/*.JPEG     DIR/val/<wnid>/*.JPEG                one folder per class
    DIR/train/*.tar             DIR/val/*.tar                        WebDataset: key.jpg, key.cls
    DIR/train/<wnid>.tar                                             the official archive's parts

Images are read one by one, sorted by name; no split is ever held in memory.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.core.errors import HarnessError
from workloads.data.paths import default_data_dir
from workloads.spec import Count, Frozen

FOLDER = "imagenet"
SPLITS = {"train": "train", "validation": "val"}
"""The benchmark's splits and their folders."""
SUFFIXES = (".jpeg", ".jpg", ".png")
TARGET_SUFFIX = ".cls"
PAIRS = "a shard holds pairs KEY.jpg and KEY.cls; a shard of one class is named <class>.tar"
WAYS_OUT = (
    "allowed below --data-dir DIR (or DIR/imagenet): train/<class>/*.JPEG and val/<class>/*.JPEG,\n"
    "  or train/*.tar and val/*.tar: shards of pairs KEY.jpg and KEY.cls, or <class>.tar of images"
)


class ImagenetSettings(Frozen):
    """Size of the stored images, and number of classes and images."""

    side: Count = 256
    """The stored images' height and width."""
    classes: Count = 1000
    train: Count = 1_281_167
    validation: Count = 50_000

    def count(self, split: str) -> int:
        """The number of images in a split."""
        return self.train if split == "train" else self.validation


class EncodedImage(NamedTuple):
    """One encoded image."""

    name: str
    """The file, or the archive and its member, for error messages."""
    content: bytes
    label: int


def files(data_dir: Path | None) -> tuple[Path, ...]:
    """The sources of the prepared arrays: shards or class folders.

    Raises:
        HarnessError: ImageNet is not found.
    """
    place = _place(data_dir)
    return tuple(part for folder in SPLITS.values() for part in _parts(place / folder))


def read_images(
    settings: ImagenetSettings, data_dir: Path | None, split: str
) -> Iterator[EncodedImage]:
    """All images of a split, `train` or `validation`, in sorted order.

    Raises:
        HarnessError: an archive is broken, a class or label is missing, or a class is not declared.
    """
    place = _place(data_dir)
    wnids = _class_names(place)
    if wnids and len(wnids) != settings.classes:
        raise HarnessError(
            f"{place} has {len(wnids)} classes, but the data settings declare {settings.classes}",
            WAYS_OUT,
        )
    for image in _images(place / SPLITS[split], wnids):
        if not 0 <= image.label < settings.classes:
            raise HarnessError(
                f"{image.name} has class {image.label}", f"allowed: 0 to {settings.classes - 1}"
            )
        yield image


def _images(folder: Path, wnids: tuple[str, ...]) -> Iterator[EncodedImage]:
    number = {wnid: index for index, wnid in enumerate(wnids)}
    for part in _parts(folder):
        if part.is_dir():
            yield from _of_folder(part, number[part.name])
        elif part.stem in number:
            yield from (
                EncodedImage(f"{part}: {name}", content, number[part.stem])
                for name, content in _members(part)
            )
        else:
            yield from _of_shard(part)


def _of_folder(folder: Path, label: int) -> Iterator[EncodedImage]:
    images = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not images:
        raise HarnessError(f"class folder {folder} has no images", WAYS_OUT)
    for file in images:
        yield EncodedImage(str(file), file.read_bytes(), label)


def _of_shard(shard: Path) -> Iterator[EncodedImage]:
    """Read a WebDataset shard, in which members with the same key are adjacent."""
    images: dict[str, EncodedImage] = {}
    labels: dict[str, int] = {}
    for name, content in _members(shard):
        key, suffix = _key(name)
        if suffix == TARGET_SUFFIX:
            labels[key] = _class_number(f"{shard}: {name}", content)
        elif suffix in SUFFIXES:
            images[key] = EncodedImage(f"{shard}: {name}", content, -1)
        if key in images and key in labels:
            yield images.pop(key)._replace(label=labels.pop(key))
    if images:
        raise HarnessError(
            f"{next(iter(images.values())).name} has no {TARGET_SUFFIX} file next to it",
            PAIRS,
        )
    if labels:
        raise HarnessError(
            f"{shard}: {next(iter(labels)).lstrip('/')}{TARGET_SUFFIX} has no image next to it",
            f"{PAIRS}; allowed images: {', '.join(SUFFIXES)}",
        )


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                stream = tar.extractfile(member)
                if stream is not None:
                    yield member.name, stream.read()
            _check_end(tar)
    except (tarfile.TarError, EOFError, OSError, zlib.error, KeyError, RecursionError) as error:
        # The last two come from a link to a missing member or to itself.
        raise HarnessError(
            f"{archive} is damaged or not a tar archive: {error}", "download it again, or remove it"
        ) from error


def _check_end(tar: tarfile.TarFile) -> None:
    """Require the zeros that end an archive; tarfile treats any damaged header as the end."""
    end = b""
    if tar.fileobj is not None:
        tar.fileobj.seek(tar.offset)
        end = tar.fileobj.read(tarfile.BLOCKSIZE)
    if end != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(
            f"at byte {tar.offset} there is neither another member nor the end of the archive"
        )


def _key(name: str) -> tuple[str, str]:
    """A member's key and lower-case suffix; the key ends at the first dot of the file name."""
    head, _, base = name.rpartition("/")
    stem, _, _ = base.partition(".")
    return f"{head}/{stem}", Path(base).suffix.lower()


def _class_number(name: str, content: bytes) -> int:
    try:
        return int(content)
    except ValueError as error:
        raise HarnessError(
            f"{name} contains {content[:20]!r}", "a .cls file holds one integer, the class, from 0"
        ) from error


def _class_names(place: Path) -> tuple[str, ...]:
    """The sorted classes, from class folders or archives of one class each."""
    train, validation = ({_class_of(part) for part in _parts(place / folder)} - {""}
                         for folder in SPLITS.values())  # fmt: skip
    missing = sorted(validation ^ train) if validation and train else []
    if missing:
        which = "val" if missing[0] in train else "train"
        raise HarnessError(f"{place / which} has no class {missing[0]}", WAYS_OUT)
    return tuple(sorted(train | validation))


def _class_of(part: Path) -> str:
    """The class of a folder or archive, a WordNet id such as n01440764; empty if it has none."""
    is_wnid = part.stem[:1] == "n" and part.stem[1:].isdigit()
    return part.stem if part.is_dir() or is_wnid else ""


def _parts(folder: Path) -> tuple[Path, ...]:
    """The class folders or archives of a split, sorted."""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    parts = tuple(part for part in entries if part.is_dir() or part.suffix == ".tar")
    if not parts:
        raise HarnessError(f"{folder} has neither class folders nor .tar files", WAYS_OUT)
    return parts


def _place(data_dir: Path | None) -> Path:
    place = data_dir if data_dir is not None else default_data_dir()
    for candidate in (place, place / FOLDER):
        if (candidate / SPLITS["train"]).is_dir():
            return candidate
    raise HarnessError(f"no ImageNet in {place}", WAYS_OUT)
