"""ImageNet that is damaged or missing: refused with its place and what to do."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from tests.workloads.imagenet_made import (
    CLASSES,
    DATA,
    jpeg,
    make_folders,
    make_shards,
    make_tar,
    prepare,
)
from workloads.resnet import data

pytestmark = pytest.mark.usefixtures("own_cache")


Damage = Callable[[Path], str]
"""Does harm to a dataset and says what the refusal names."""


def break_jpeg(place: Path) -> str:
    file = place / "train" / CLASSES[1] / f"{CLASSES[1]}_0.JPEG"
    file.write_bytes(file.read_bytes()[:2000])
    return f"cannot decode {file}"


def empty_class(place: Path) -> str:
    folder = place / "val" / CLASSES[0]
    for file in folder.iterdir():
        file.unlink()
    return f"class folder {folder} has no images"


def lose_class(place: Path) -> str:
    (place / "val" / CLASSES[0]).rename(place / "elsewhere")
    return f"{place / 'val'} has no class {CLASSES[0]}"


def lose_both(place: Path) -> str:
    for split in ("train", "val"):
        (place / split / CLASSES[0]).rename(place / f"{split}-elsewhere")
    return f"{place} has 1 classes, but the data settings declare 2"


def lose_image(place: Path) -> str:
    (place / "train" / CLASSES[0] / f"{CLASSES[0]}_0.JPEG").unlink()
    return "train split of ImageNet has 3 images, but the data settings declare 4"


def lose_split(place: Path) -> str:
    (place / "val").rename(place / "elsewhere")
    return f"{place / 'val'} has neither class folders nor .tar files"


TREE_DAMAGES = [break_jpeg, empty_class, lose_class, lose_both, lose_image, lose_split]


def truncate_tar(place: Path) -> str:
    shard = place / "train" / "shard-000001.tar"
    shard.write_bytes(shard.read_bytes()[:3000])
    return f"{shard} is damaged or not a tar archive"


def no_tar(place: Path) -> str:
    shard = place / "train" / "shard-000001.tar"
    shard.write_bytes(b"not a tar " * 300)
    return f"{shard} is damaged or not a tar archive"


def no_label(place: Path) -> str:
    shard = make_tar(place / "train" / "shard-000001.tar", {"000003.jpg": jpeg(3)})
    return f"{shard}: 000003.jpg has no .cls file"


def wrong_label(place: Path) -> str:
    members = {"000003.jpg": jpeg(3), "000003.cls": b"cat"}
    shard = make_tar(place / "train" / "shard-000001.tar", members)
    return f"{shard}: 000003.cls contains b'cat'"


def large_label(place: Path) -> str:
    members = {"000003.jpg": jpeg(3), "000003.cls": b"2"}
    shard = make_tar(place / "train" / "shard-000001.tar", members)
    return f"{shard}: 000003.jpg has class 2"


def lose_a_half_of_each_of_two_pairs(place: Path) -> str:
    members = {"000002.jpg": jpeg(2), "000003.cls": b"1"}
    shard = make_tar(place / "train" / "shard-000001.tar", members)
    return f"{shard}: 000002.jpg has no .cls file"


def no_image(place: Path) -> str:
    members = {"000003.webp": b"", "000003.cls": b"1"}
    shard = make_tar(place / "train" / "shard-000001.tar", members)
    return f"{shard}: 000003.cls has no image next to it"


def last_pair(shard: Path) -> int:
    """Where the header of the second pair's image begins."""
    with tarfile.open(shard) as tar:
        return tar.getmembers()[2].offset


def cut_between_members(place: Path) -> str:
    shard = place / "train" / "shard-000001.tar"
    end = last_pair(shard)
    os.truncate(shard, end)
    return f"{shard} is damaged or not a tar archive: at byte {end}"


def cut_inside_a_header(place: Path) -> str:
    shard = place / "train" / "shard-000001.tar"
    end = last_pair(shard)
    os.truncate(shard, end + 100)
    return f"{shard} is damaged or not a tar archive: at byte {end}"


def spoil_a_header(place: Path) -> str:
    shard = place / "train" / "shard-000001.tar"
    begin = last_pair(shard)
    content = shard.read_bytes()
    shard.write_bytes(content[:begin] + b"?" * 512 + content[begin + 512 :])
    return f"{shard} is damaged or not a tar archive: at byte {begin}"


def put_in_a_link(place: Path, target: str) -> str:
    shard = place / "train" / "shard-000001.tar"
    link = tarfile.TarInfo("000009.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, target
    with tarfile.open(shard, "a") as tar:
        tar.addfile(link)
    return f"{shard} is damaged or not a tar archive"


def link_out(place: Path) -> str:
    return put_in_a_link(place, "/etc/hostname")


def link_to_itself(place: Path) -> str:
    return put_in_a_link(place, "000009.jpg")


LABEL_DAMAGES = [no_label, no_image, wrong_label, large_label, lose_a_half_of_each_of_two_pairs]


TAR_DAMAGES = [
    truncate_tar, cut_between_members, cut_inside_a_header, spoil_a_header, no_tar,
    link_out, link_to_itself,
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "damage"),
    [
        *((make_folders, damage) for damage in TREE_DAMAGES),
        *((make_shards, damage) for damage in [*TAR_DAMAGES, *LABEL_DAMAGES]),
    ],
)
def test_a_damaged_dataset_is_refused_with_its_place(
    make: Callable[[Path], Path], damage: Damage, tmp_path: Path
) -> None:
    place = make(tmp_path / "in")
    message = damage(place)
    with pytest.raises(HarnessError) as refusal:
        prepare(place, tmp_path / "out")
    assert message in str(refusal.value)
    assert "\n" in str(refusal.value)


def test_where_there_is_none_the_ways_out_are_said(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"no ImageNet in .*\n.*train/<class>/\*.JPEG"):
        data.source_files(DATA, tmp_path)
