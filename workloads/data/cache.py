"""Prepared instances on disk: built once, read by the referee, rebuilt when anything changes.

    <cache>/instances/<key>/{train,validation,test}/{inputs,targets}.npy
    <cache>/instances/<key>/manifest.json     size and SHA-256 of each file
    <cache>/corpora/<key>/...                 tokens of a text, from which its instances are cut
    <cache>/imagenet/<key>/...                decoded images, which its instances share
    <cache>/locks/<kind>-<digit>.lock         held while an instance or a corpus is built

The key is a hash of the workload's content, the suite's data settings, the instance seed, the
source files and the format. An instance is written to a temporary folder and then renamed, so a
folder under its key is complete. If a file size or, up to 1 GB in total, a hash does not match the
manifest nevertheless, it is rebuilt. This is checked at each use, in 0.1 s for 100 MB.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Protocol

from harness.core.canonical import sha256_json
from harness.core.errors import HarnessError
from harness.core.locks import lock
from workloads.data import no_data
from workloads.data.manifest import is_intact, write_manifest
from workloads.data.paths import caching_in, default_cache_dir
from workloads.data.stamps import stamps
from workloads.spec import Data, SuiteWorkload

FORMAT_VERSION = 1
INSTANCES = "instances"
LIMIT_BYTES = 4 * 10**9
"""Above this total the least recently used instances are deleted; one of `mlp` takes 100 MB."""
IN_USE_S = 3600.0
"""An instance requested more recently than this may be in use and is kept."""
TEMPORARY = ".making-"


class Preparable(Protocol):
    """What the cache needs of a workload; implemented by `harness.providers.registry.Workload`."""

    def content_hash(self, suite: str) -> str:
        """The hash of everything that defines the workload in a suite."""
        ...

    def at(self, suite: str) -> SuiteWorkload:
        """The workload at one suite's size."""
        ...

    def module(self, name: str) -> ModuleType:
        """One of the workload's modules; `data`, if there are data, has `prepare` and
        `source_files`."""
        ...


def prepare_instance(
    workload: Preparable,
    suite: str,
    instance_seed: str,
    data_dir: Path | None,
    cache_dir: Path | None = None,
) -> Path:
    """The folder of an instance's splits, built unless it is cached.

    Safe for concurrent processes: one builds it, the others wait.

    Args:
        workload: the workload.
        suite: name of the suite, which sets the size.
        instance_seed: seed of the instance.
        data_dir: folder of downloaded data; None for the default location.
        cache_dir: the cache's folder; None for the default location.

    Raises:
        HarnessError: data are missing, or the cache cannot be written.
    """
    cache = (cache_dir if cache_dir is not None else default_cache_dir()).absolute()
    data = workload.at(suite).data
    module = no_data if data is None else workload.module("data")
    with _reading():
        files = module.source_files(data, data_dir)
        key = _key(workload.content_hash(suite), data, instance_seed, files)

    def make(folder: Path) -> None:
        with caching_in(cache):
            module.prepare(data, instance_seed, folder, data_dir)

    return get_or_make(cache, INSTANCES, key, make)


def get_or_make(cache: Path, kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder of a cached item, built unless it exists and is intact.

    Args:
        cache: the cache's folder.
        kind: subfolder of the cache for this kind of item.
        key: a hash of everything that the item depends on.
        make: writes the item into an empty folder.

    Raises:
        HarnessError: the cache cannot be written.
    """
    place = cache / kind / key
    if not is_intact(place):
        with _writing(cache):
            with _hold_lock(cache, f"{kind}-{key[0]}"):
                if not is_intact(place):
                    _make(make, place)
            evict(cache, keep=place)
    _mark_used(place)
    return place


def evict(cache: Path, keep: Path, limit_bytes: int = LIMIT_BYTES) -> None:
    """Delete leftovers of killed processes, then the least recently used instances over the limit.

    Decoded images and tokens are kept, as rebuilding them may take hours.

    Args:
        cache: the cache's folder.
        keep: an instance not to delete.
        limit_bytes: limit on the total size of all instances.
    """
    _remove_left_overs(cache)
    oldest_first = sorted(
        (_used_s(place), place) for place in (cache / INSTANCES).glob("[!.]*") if place.is_dir()
    )
    total = sum(_size(place) for _, place in oldest_first)
    for used_s, place in oldest_first:
        if total <= limit_bytes or time.time() - used_s < IN_USE_S:
            break
        if place != keep:
            total -= _size(place)
            _remove(place)


def _remove_left_overs(cache: Path) -> None:
    for left_over in cache.glob(f"*/{TEMPORARY}*"):
        digit = left_over.name.removeprefix(TEMPORARY)[:1]
        # Whoever builds a folder holds its lock, so a folder whose lock is free is abandoned.
        with _hold_lock(cache, f"{left_over.parent.name}-{digit}", wait=False) as is_free:
            if is_free:
                _remove(left_over)


def _key(content_hash: str, data: Data | None, instance_seed: str, files: tuple[Path, ...]) -> str:
    return sha256_json(
        {
            "format": FORMAT_VERSION,
            "workload": content_hash,
            "data": data and data.model_dump(mode="json"),
            "instance_seed": instance_seed,
            "files": stamps(files),
        }
    )[:40]


def _make(make: Callable[[Path], None], place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    prefix = f"{TEMPORARY}{place.name}-"
    for left_over in place.parent.glob(f"{prefix}*"):
        _remove(left_over)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place.parent))
    try:
        make(folder)
        write_manifest(folder)
        _remove(place)
        folder.rename(place)
    finally:
        _remove(folder)


@contextmanager
def _hold_lock(cache: Path, name: str, wait: bool = True) -> Iterator[bool]:
    # Sixteen locks per kind instead of one per key: locks are never deleted, because deleting one
    # while another process waits for it would break mutual exclusion.
    (cache / "locks").mkdir(parents=True, exist_ok=True)
    with (cache / "locks" / f"{name}.lock").open("w") as file:
        yield lock(file, wait=wait)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unreadable(error) from error


@contextmanager
def _writing(cache: Path) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if _is_elsewhere(error.filename, cache):
            raise _unreadable(error) from error
        # numpy says how many bytes it has written of an array, and not why it stopped.
        reason = error.strerror or f"the disk may be full ({error})"
        raise HarnessError(
            f"cannot write prepared data below {cache}: {reason}",
            "free some space there, or set XDG_CACHE_HOME to a writable folder",
        ) from error


def _unreadable(error: OSError) -> HarnessError:
    return HarnessError(
        f"cannot read {error.filename}: {error.strerror or error}",
        "the data are prepared from this file: restore it, or make it readable",
    )


def _is_elsewhere(name: object, cache: Path) -> bool:
    """Whether an error's file is neither in the cache nor a parent folder of it."""
    return isinstance(name, str) and not (
        Path(name).is_relative_to(cache) or cache.is_relative_to(name)
    )


def _mark_used(place: Path) -> None:
    try:
        os.utime(place)
    except OSError:
        # A read-only cache still works; keeping it small is then not our job.
        return


def _used_s(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except FileNotFoundError:
        # Another process has renamed or deleted it since it was listed.
        return time.time()


def _size(place: Path) -> int:
    try:
        return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    except FileNotFoundError:
        return 0


def _remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
