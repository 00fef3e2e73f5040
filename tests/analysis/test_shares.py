"""A store that several processes read is what one process reads, its mistakes included."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from harness.analysis import shares
from harness.analysis.reading import StoreReading, gather, read_store
from harness.cli.site_records import SiteRows
from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from tests.record.conftest import GRID, SampleStore

Read = Callable[[int], StoreReading]
SetProcesses = Callable[[int], None]


@pytest.fixture(scope="module")
def full_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of four ended trials."""
    sample = SampleStore(tmp_path_factory.mktemp("written"))
    for trial in plan(PlanRequest("mlp", "muon", trials=3)).trials:
        sample.trial = trial.model_copy(update={"grid": GRID})
        sample.run()
    return sample.store


@pytest.fixture
def store(full_store: Path, tmp_path: Path) -> Path:
    return shutil.copytree(full_store, tmp_path / "store")


@pytest.fixture
def set_processes(monkeypatch: pytest.MonkeyPatch) -> SetProcesses:
    """Says how many processes read a store, however small it is."""
    monkeypatch.setattr(shares, "TRIALS_EACH", 1)
    monkeypatch.setattr(shares, "allowed_cores", lambda: tuple(range(4)))
    return lambda count: monkeypatch.setattr(shares, "MOST_PROCESSES", count)


@pytest.fixture
def read_with(store: Path, set_processes: SetProcesses) -> Read:
    """Reads the store with so many processes."""

    def with_processes(count: int) -> StoreReading:
        set_processes(count)
        return read_store(store, keep_curves=True)

    return with_processes


def last_record(store: Path) -> Path:
    return max(store.glob("*/*/*/*/trial.json"))


def test_frames_and_evidence_are_the_same(store: Path, read_with: Read) -> None:
    path = last_record(store)
    path.write_text(path.read_text().replace('"location": "submissions/', '"location": "/mine/'))
    one, three = read_with(1), read_with(3)
    assert len(three.trials) == 4
    pd.testing.assert_frame_equal(one.trials, three.trials)
    pd.testing.assert_frame_equal(one.curves(), three.curves())
    assert one.evidence == three.evidence
    (mismatch,) = three.evidence.mismatches
    assert "the identity is not the hash of the trial" in mismatch


def test_what_a_site_shows_is_the_same(store: Path, set_processes: SetProcesses) -> None:
    result = []
    for count in (1, 3):
        set_processes(count)
        result.append(gather(store, SiteRows).gatherer)
    one, three = result
    assert len(one.details) == 4
    assert (one.details, one.trials, one.machines) == (three.details, three.trials, three.machines)
    pd.testing.assert_frame_equal(one.curves.frame(), three.curves.frame())
    assert "claimed" in set(one.curves.frame()["split"])


def test_a_trial_that_cannot_be_read_is_the_same_error(store: Path, read_with: Read) -> None:
    log = last_record(store).with_name("events.jsonl")
    log.write_bytes(log.read_bytes()[50:])
    output = []
    for processes in (1, 2):
        with pytest.raises(HarnessError, match="does not match the hash chain") as error:
            read_with(processes)
        output.append(str(error.value))
    assert output[0] == output[1]


def test_a_process_that_dies_is_named(read_with: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(HarnessError, match=r"read 2 trials of .* died with exit code 1"):
        read_with(2)
