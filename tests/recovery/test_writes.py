"""A disk that is full, at whichever write: a message, and the next run makes the store whole."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.messages import Snapshot
from harness.plan.plan import PlanRequest, plan
from harness.record.verify import verify_store
from harness.referee.checkpoint import CHECKPOINT_FILE, Checkpoints
from harness.referee.observation import Observation, Observed
from tests.record.conftest import Made


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
        Made(tmp_path)
    made = Made(tmp_path)
    found = verify_store(made.store)
    assert (found.findings, found.unfinished) == ((), 0)


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(tmp_path: Path) -> None:
    (trial,) = plan(PlanRequest("mlp", "adamw", trials=1)).trials
    observation = Observation(trial.grid, trial.target, lambda _: 0.0)
    checkpoints, events = Checkpoints(tmp_path, trial, 0.0, 2**20), list[str]()

    def keep() -> None:
        assert checkpoints.wanted_bytes(5, 1.0) == 2**20
        checkpoints.without_state(Snapshot(step=1, state="{}"), {})
        seen, clock = Observed(5, 1, 1.0, 128, {}), (1.0, dict[str, float]())
        checkpoints.keep(seen, clock, observation, lambda kind, _: events.append(kind))

    keep()
    before = (tmp_path / CHECKPOINT_FILE).read_bytes()
    with files_of(100), pytest.raises(HarnessError, match="cannot write"):
        keep()
    assert (tmp_path / CHECKPOINT_FILE).read_bytes() == before
    assert events == ["checkpoint"]


def test_a_folder_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file in the way")
    with pytest.raises(HarnessError, match="cannot"):
        Made(tmp_path / "store")
