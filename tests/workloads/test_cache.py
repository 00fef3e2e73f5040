"""The cache of prepared instances: made once, never read half-written, kept small."""

import errno
import multiprocessing
import os
import resource
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.providers import registry
from tests.workloads.declared import data_of
from workloads.data import cache, manifest
from workloads.data.cache import prepare_instance
from workloads.data.manifest import has_its_hashes, is_whole
from workloads.mlp import data as mlp_data
from workloads.spec import Data, SuiteWorkload

SEED = "0123456789abcdef0123456789abcdef"


@dataclass
class Small:
    """The perceptron's own data code with few images, counting how often it runs."""

    folder: Path
    version: str = "a" * 64

    def content_hash(self, suite: str) -> str:
        return self.version

    def at(self, suite: str) -> SuiteWorkload:
        settings = {"train": 200, "validation": 100, "latents": 64}
        whole = registry.workload("mlp").at("quick")
        data = data_of(whole).model_copy(update={"settings": settings})
        return whole.model_copy(update={"data": data})

    def module(self, name: str) -> ModuleType:
        def prepare(data: Data, seed: str, folder: Path, data_dir: Path | None) -> None:
            (self.folder / f"made-{time.monotonic_ns()}-{os.getpid()}").touch()
            mlp_data.prepare(data, seed, folder, data_dir)

        module = ModuleType(name)
        vars(module).update(prepare=prepare, source_files=mlp_data.source_files)
        return module

    @property
    def times_made(self) -> int:
        return len(list(self.folder.glob("made-*")))

    def prepare(self, seed: str = SEED) -> Path:
        return prepare_instance(self, "quick", seed, None, self.folder / "cache")


def test_an_instance_is_made_once(tmp_path: Path) -> None:
    workload = Small(tmp_path)
    first = workload.prepare()
    assert workload.prepare() == first
    assert workload.times_made == 1
    assert has_its_hashes(first)
    inputs = np.load(first / "train/inputs.npy", mmap_mode="r")
    assert (inputs.shape, inputs.dtype) == ((200, 256), np.float32)
    assert np.load(first / "validation/targets.npy").dtype == np.int64


def test_whatever_changes_makes_another_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {
        Small(tmp_path).prepare(),
        Small(tmp_path).prepare("f" * 32),
        Small(tmp_path, version="b" * 64).prepare(),
    }
    monkeypatch.setattr(cache, "FORMAT_VERSION", cache.FORMAT_VERSION + 1)
    places.add(Small(tmp_path).prepare())
    assert len(places) == Small(tmp_path).times_made == 4


def test_other_source_files_make_another_instance(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("one")
    data = Small(tmp_path).at("quick").data
    first = cache._key("a", data, SEED, (source,))
    source.write_text("three")
    assert cache._key("a", data, SEED, (source,)) != first


def test_another_file_in_a_source_folder_makes_another_instance(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    image = tmp_path / "source/image.jpg"
    image.write_bytes(b"one")
    data = Small(tmp_path).at("quick").data
    first = cache._key("a", data, SEED, (image.parent,))
    image.write_bytes(b"three")
    assert cache._key("a", data, SEED, (image.parent,)) != first


def test_a_torn_instance_is_made_again(tmp_path: Path) -> None:
    workload = Small(tmp_path)
    torn = workload.prepare() / "train/inputs.npy"
    os.truncate(torn, 100)
    workload.prepare()
    assert workload.times_made == 2
    assert is_whole(torn.parent.parent)
    (torn.parent.parent / "manifest.json").write_text('{"files"')
    workload.prepare()
    assert workload.times_made == 3


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_an_instance_of_the_right_size_and_wrong_content_is_made_again(tmp_path: Path) -> None:
    workload = Small(tmp_path)
    damaged = workload.prepare() / "train/inputs.npy"
    before = damaged.read_bytes()
    flip_a_bit(damaged)
    workload.prepare()
    assert workload.times_made == 2
    assert damaged.read_bytes() == before


def test_a_large_instance_is_checked_by_its_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = Small(tmp_path)
    place = workload.prepare()
    total = sum(file.stat().st_size for file in place.glob("*/*"))
    flip_a_bit(place / "train/inputs.npy")
    monkeypatch.setattr(manifest, "HASHED_BYTES", total - 1)
    workload.prepare()
    assert workload.times_made == 1
    monkeypatch.setattr(manifest, "HASHED_BYTES", total)
    workload.prepare()
    assert workload.times_made == 2


def test_what_a_killed_process_left_is_neither_read_nor_kept(tmp_path: Path) -> None:
    workload = Small(tmp_path)
    place = workload.prepare()
    left_over = place.with_name(f"{cache.TEMPORARY}{place.name}-killed")
    place.rename(left_over)
    (left_over / "manifest.json").unlink()
    assert workload.prepare() == place
    assert workload.times_made == 2
    assert not left_over.exists()


def test_two_processes_at_once_make_it_once(tmp_path: Path) -> None:
    workload = Small(tmp_path)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=workload.prepare) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert workload.times_made == 1
    assert has_its_hashes(workload.prepare())


def test_an_array_that_is_cut_short_is_put_down_to_the_disk(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(HarnessError, match=r"the disk may be full \(.* written\)"):
            Small(tmp_path).prepare()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_failed_making_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(HarnessError, match="No space left on device") as error:
        Small(tmp_path).prepare()
    assert str(tmp_path / "cache") in str(error.value)
    assert "XDG_CACHE_HOME" in str(error.value)
    assert list((tmp_path / "cache/instances").iterdir()) == []


def test_a_cache_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(HarnessError, match=f"cannot write prepared data below {tmp_path}/cache"):
        Small(tmp_path).prepare()


def test_a_source_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    def make(_: Path) -> None:
        (tmp_path / "image.jpg").read_bytes()

    with pytest.raises(HarnessError, match=rf"cannot read {tmp_path}/image.jpg: No such file"):
        cache.get_or_make(tmp_path / "cache", "instances", "a" * 40, make)


def test_a_data_folder_that_cannot_be_looked_into_is_named(tmp_path: Path) -> None:
    # As root may look into any folder, this one has a name that is too long to be there.
    folder = tmp_path / ("long" * 100)
    with pytest.raises(HarnessError, match=rf"cannot read {folder}\S*: File name too long"):
        prepare_instance(registry.workload("mlp"), "standard", SEED, folder, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_whole_instance_serves_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

    place = Small(tmp_path).prepare()
    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(cache, "_hold_lock", refuse)
    assert Small(tmp_path).prepare() == place


def test_the_least_recently_used_go_first_and_those_in_use_stay(tmp_path: Path) -> None:
    workload = Small(tmp_path)
    places = [workload.prepare(digit * 32) for digit in "1234"]
    now = time.time()
    for hours_ago, place in zip((2, 9, 0, 5), places, strict=True):
        os.utime(place, (now - 3600 * hours_ago,) * 2)
    one = sum(file.stat().st_size for file in places[0].rglob("*") if file.is_file())
    cache.evict(tmp_path / "cache", keep=places[0], limit_bytes=3 * one)
    assert [place.exists() for place in places] == [True, False, True, True]
    cache.evict(tmp_path / "cache", keep=places[0], limit_bytes=0)
    assert [place.exists() for place in places] == [True, False, True, False]
    shutil.rmtree(tmp_path / "cache")


def test_left_overs_go_unless_someone_is_at_work_on_them(tmp_path: Path) -> None:
    names = ("corpora/.making-b0-killed", "imagenet/.making-c0-at-work")
    killed, at_work = (tmp_path / "cache" / name for name in names)
    for folder in (killed, at_work):
        (folder / "train").mkdir(parents=True)
        os.utime(folder, (0, 0))
    with cache._hold_lock(tmp_path / "cache", "imagenet-c"):
        cache.evict(tmp_path / "cache", keep=tmp_path, limit_bytes=0)
    assert [folder.exists() for folder in (killed, at_work)] == [False, True]


def test_what_another_process_takes_away_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = Small(tmp_path)
    workload.prepare()
    other = tmp_path / "cache/instances/other"
    (other / "train").mkdir(parents=True)
    is_dir = Path.is_dir

    def listed_and_then_deleted(place: Path) -> bool:
        is_folder = is_dir(place)
        if place == other and is_folder:
            shutil.rmtree(other)
        return is_folder

    monkeypatch.setattr(Path, "is_dir", listed_and_then_deleted)
    assert is_whole(workload.prepare("f" * 32))
