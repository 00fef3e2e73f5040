"""Records that come home are copied to an object store, and the copy is a store like any other."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from harness.core.errors import HarnessError
from harness.display.endings import RemoteDisplay
from harness.execution.base import RunOptions
from harness.execution.ray.copies import StoreCopy
from harness.execution.ray.executor import RayExecutor
from harness.plan.plan import PlanRequest, plan
from harness.record.plan import write_plan
from harness.verification.store import verify_store
from tests.record.conftest import SampleStore

SCALE = Path(__file__).parents[2] / "benchmarks" / "scale.py"
URL = "memory://bucket/runs"


@pytest.fixture
def memory() -> Iterator[AbstractFileSystem]:
    """fsspec's own file system in memory."""
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/bucket", recursive=True)


@pytest.fixture
def sample(tmp_path: Path) -> SampleStore:
    return SampleStore(tmp_path / "store")


def names(files: AbstractFileSystem) -> list[str]:
    return [str(path).removeprefix("/bucket/runs/") for path in files.find("/bucket")]


def test_a_copy_on_a_file_system_is_a_store_that_fits(sample: SampleStore, tmp_path: Path) -> None:
    copy = StoreCopy(sample.store, f"file://{tmp_path}/copy")
    copy.put(sample.trial)
    copy.complete([sample.trial])
    assert verify_store(tmp_path / "copy").findings == ()


def test_a_trial_is_copied_without_its_lock(
    sample: SampleStore, memory: AbstractFileSystem
) -> None:
    (sample.folder / ".lock").touch()
    StoreCopy(sample.store, URL).put(sample.trial)
    folder = sample.trial.folder
    assert names(memory) == [f"{folder}/events.jsonl", f"{folder}/trial.json"]
    assert memory.cat(f"/bucket/runs/{folder}/events.jsonl") == sample.log.read_bytes()


def test_what_is_missing_is_copied_in_the_end_and_nothing_else(
    sample: SampleStore, memory: AbstractFileSystem
) -> None:
    copy, folder = StoreCopy(sample.store, f"{URL}/"), f"/bucket/runs/{sample.trial.folder}"
    copy.complete([sample.trial])
    memory.pipe(f"{folder}/events.jsonl", b"left alone")
    copy.complete([sample.trial])
    assert memory.cat(f"{folder}/events.jsonl") == b"left alone"
    memory.rm(f"{folder}/trial.json")
    copy.complete([sample.trial])
    assert memory.cat(f"{folder}/events.jsonl") == sample.log.read_bytes()


@pytest.mark.parametrize(
    ("url", "package", "words"),
    [
        ("s3://bucket/runs", "s3fs", "s3fs"),
        ("memory://bucket", "fsspec.core", "fsspec"),
        ("nowhere://bucket", None, "nowhere"),
    ],
)
def test_what_cannot_be_served_is_named_with_what_to_install(
    url: str, package: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if package is not None:
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(HarnessError, match=f"cannot copy records to {url}: .*{words}") as error:
        StoreCopy(tmp_path, url)
    assert "pip install 'guided-descent[fsspec]'" in error.value.hint


def test_a_place_that_takes_no_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="cannot copy records to file:///proc/copy: "):
        StoreCopy(tmp_path, "file:///proc/copy")


class LockedFileSystem(MemoryFileSystem):
    """A place that wants credentials which are not there."""

    protocol = "locked"

    def pipe_file(self, path: str, value: bytes, *_: object, **__: object) -> None:
        raise PermissionError("unable to locate credentials")


def test_missing_credentials_are_named_before_the_first_trial(tmp_path: Path) -> None:
    fsspec.register_implementation("locked", LockedFileSystem, clobber=True)
    trials, store = plan(PlanRequest("mlp", "adamw", trials=1)).trials, tmp_path / "here"
    write_plan(trials, store)
    profile = tmp_path / "profile.toml"
    profile.write_text("copy_to = 'locked://bucket'\n")
    scale = SimpleNamespace(**runpy.run_path(str(SCALE)))
    with (
        pytest.raises(HarnessError, match="unable to locate credentials") as error,
        scale.SimulatedExecutor(store, RemoteDisplay(print), profile=profile) as executor,
    ):
        executor.run(trials, RunOptions())
    assert "credentials" in error.value.hint
    assert not list(store.rglob("events.jsonl"))


def test_missing_credentials_are_named_before_the_cluster_is_asked(tmp_path: Path) -> None:
    fsspec.register_implementation("locked", LockedFileSystem, clobber=True)
    profile = tmp_path / "profile.toml"
    profile.write_text("address = '127.0.0.1:1'\ncopy_to = 'locked://bucket'\n")
    executor = RayExecutor(tmp_path / "here", RemoteDisplay(print), profile=profile)
    with pytest.raises(HarnessError, match="unable to locate credentials"), executor:
        pass


def test_what_ray_brings_home_is_copied(tmp_path: Path) -> None:
    scale = SimpleNamespace(**runpy.run_path(str(SCALE)))
    trials, store = plan(PlanRequest("mlp", "adamw", studies=4, trials=3)).trials, tmp_path / "here"
    profile = tmp_path / "profile.toml"
    profile.write_text(f"copy_to = 'file://{tmp_path}/copy'\n")
    write_plan(trials, store)
    with scale.SimulatedExecutor(store, RemoteDisplay(print), profile=profile) as executor:
        records = executor.run(trials, RunOptions())
    assert all(record.result is not None for record in records)
    verification = verify_store(tmp_path / "copy", replays=False)
    assert (verification.trials, verification.findings, verification.unfinished_trials) == (
        12,
        (),
        0,
    )
