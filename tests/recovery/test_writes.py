"""A disk that is full, at whichever write: a message, and the next run makes the store whole."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.protocol.messages import Snapshot
from harness.record.schema import EventData
from harness.referee.checkpoint import CHECKPOINT_FILE, Checkpoints
from harness.referee.parts import Measurement
from harness.referee.target_search import HeldSnapshot, TargetSearch
from harness.verification.store import verify_store
from tests.record.conftest import SampleStore


@contextmanager
def files_of(size: int) -> Iterator[None]:
    """No file grows beyond a size: writing more fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 200, 450, 900, 1300, 1800, 3000, 5000])
def test_a_full_disk_loses_nothing_that_was_written(tmp_path: Path, size: int) -> None:
    with files_of(size), pytest.raises(HarnessError, match="cannot write"):
        SampleStore(tmp_path)
    sample = SampleStore(tmp_path)
    verification = verify_store(sample.store)
    assert (verification.findings, verification.unfinished_trials) == ((), 0)


class KeptCheckpoints:
    """Checkpoints of a trial as a referee asks for them."""

    def __init__(self, folder: Path) -> None:
        (trial,) = plan(PlanRequest("mlp", "adamw", trials=1)).trials
        self._search = TargetSearch(trial.grid, trial.target, lambda *_, **__: Measurement(0.0))
        self.checkpoints, self.events = Checkpoints(folder, trial, 0.0, 2**20), list[str]()

    def keep(self, snapshot: Snapshot) -> int:
        """At the fifth grid point; the bytes that were asked for."""
        bytes_wanted = self.checkpoints.wanted_bytes(5, 1.0)
        self.checkpoints.without_state(snapshot, {})
        snapshot_seen, clock = HeldSnapshot(5, 1, 1.0, 128, {}), (1.0, dict[str, float]())
        self.checkpoints.keep(snapshot_seen, clock, self._search, self._emit)
        return bytes_wanted

    def _emit(self, event: EventData) -> None:
        self.events.append(event.kind)


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoints, snapshot = KeptCheckpoints(tmp_path), Snapshot(step=1, state="{}")
    assert checkpoints.keep(snapshot) == 2**20
    before = (tmp_path / CHECKPOINT_FILE).read_bytes()
    with files_of(100), pytest.raises(HarnessError, match="cannot write"):
        checkpoints.keep(snapshot)
    assert (tmp_path / CHECKPOINT_FILE).read_bytes() == before
    assert checkpoints.events == ["checkpoint"]


def test_a_state_that_cannot_be_had_is_asked_for_once_and_said(tmp_path: Path) -> None:
    checkpoints = KeptCheckpoints(tmp_path)
    assert [checkpoints.keep(Snapshot(step=1, no_state="no")) for _ in range(2)] == [2**20, 0]
    assert checkpoints.events == ["no_checkpoint"]
    assert not (tmp_path / CHECKPOINT_FILE).exists()


def test_a_folder_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file in the way")
    with pytest.raises(HarnessError, match="cannot"):
        SampleStore(tmp_path / "store")
