"""Ended trials go to trackers of an outside package, each once, and no tracker stops anything."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from harness.runs.tracking import Outbox
from tests.record.conftest import SampleStore

OUTSIDE = Path(__file__).parents[1] / "workloads" / "outside"


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the package's trackers write."""
    paths = (str(OUTSIDE), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    return tmp_path / "notes"


@pytest.fixture
def sample(tmp_path: Path) -> SampleStore:
    return SampleStore(tmp_path / "store")


def test_what_has_ended_is_sent_once(sample: SampleStore, notes: Path) -> None:
    output: list[str] = []
    for _ in range(2):
        Outbox(sample.store, ["note"], output.append).send([sample.trial])
    assert notes.read_text().splitlines() == [
        f"{sample.trial.identity[:16]}-1 adamw (torch) on mlp, 1.1: reached"
    ]
    assert output == []


def test_what_was_not_taken_is_sent_by_the_next_run(sample: SampleStore, notes: Path) -> None:
    output: list[str] = []
    outbox = Outbox(sample.store, ["refuse", "note"], output.append)
    outbox.send([sample.trial])
    outbox.send([sample.trial])
    (once,) = output
    assert "refuse did not take trial_1-" in once
    assert len(notes.read_text().splitlines()) == 1
    Outbox(sample.store, ["refuse"], output.append).send([sample.trial])
    assert len(output) == 2


def test_a_tracker_that_hangs_is_ended_with_all_that_it_started(
    sample: SampleStore, notes: Path
) -> None:
    output: list[str] = []
    Outbox(sample.store, ["hang"], output.append, timeout_s=45.0).send([sample.trial])
    assert "it took more than 45 s" in output[0]
    child, until_s = int(notes.read_text()), time.monotonic() + 5.0
    while is_alive(child) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not is_alive(child)


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z" and os.getpid() != process
