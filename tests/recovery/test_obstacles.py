"""Real trials on a full disk, or with something in the way of a file: a message, then a result."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.execution import trial as execution
from harness.execution.base import RunOptions
from harness.execution.trial import run_trial
from harness.plan.plan import PlanRequest, plan
from harness.protocol.slot import Shapes, Slot
from harness.record.ledger import LEDGER_FILE
from harness.record.plan import write_plan
from harness.record.recorder import Silent
from harness.record.store import EVENTS_FILE, TRIAL_FILE
from harness.referee.checkpoint import CHECKPOINT_FILE, DRAFT_FILE
from harness.verification.store import verify_store
from tests.kit import in_steps
from workloads.spec import Grid

from .test_writes import files_of


class ShortTrial:
    """One short trial with a checkpoint, in a store of its own."""

    def __init__(self, store: Path, cache: Path) -> None:
        self.store, self.options = store, RunOptions(cache_dir=cache, threads=1, checkpoint_s=0.0)
        (trial,) = plan(PlanRequest("mlp", "adamw", ruleset="self")).trials
        self.trial = in_steps(trial, 8, Grid(even=4, look_from=1.0, kept=2))

    @property
    def folder(self) -> Path:
        return self.store / self.trial.folder

    def __call__(self) -> str:
        """Plan it and run it, as `harness run` does; its state."""
        write_plan([self.trial], self.store)
        return run_trial(self.trial, self.store, self.options, Silent()).state

    def is_whole(self) -> bool:
        """Run what is missing; whether the store then fits."""
        result = self() == "budget", verify_store(self.store)
        return result[0] and (result[1].findings, result[1].unfinished_trials) == ((), 0)


@pytest.fixture
def short_trial(tmp_path: Path, data_cache: Path) -> ShortTrial:
    return ShortTrial(tmp_path / "store", data_cache)


class RoomySlot(Slot):
    """Shared memory, of which there is plenty on a machine whose disk is full."""

    def __init__(self, shapes: Shapes) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        with files_of(hard):
            super().__init__(shapes)
        assert resource.getrlimit(resource.RLIMIT_FSIZE) == (soft, hard)


@pytest.fixture
def roomy_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "Slot", RoomySlot)


@pytest.mark.usefixtures("roomy_memory")
@pytest.mark.parametrize("size", [0, 20, 300, 900, 1800, 2500, 3500, 5000, 20_000])
def test_a_disk_that_is_full_at_any_write(short_trial: ShortTrial, size: int) -> None:
    with files_of(size), pytest.raises(HarnessError, match=r"cannot write.*\n.*space"):
        short_trial()
    assert short_trial.is_whole()


OBSTACLES = (
    EVENTS_FILE, TRIAL_FILE, ".lock", "tensorboard", "worker.log", DRAFT_FILE, CHECKPOINT_FILE,
)  # fmt: skip


@pytest.mark.parametrize("name", [*OBSTACLES, LEDGER_FILE])
def test_what_stands_in_the_way_of_any_file_is_named(short_trial: ShortTrial, name: str) -> None:
    path = (short_trial.store if name == LEDGER_FILE else short_trial.folder) / name
    path.parent.mkdir(parents=True)
    path.touch() if name == "tensorboard" else path.mkdir()
    with pytest.raises(HarnessError, match=r"cannot (write|read) "):
        short_trial()
    path.unlink() if name == "tensorboard" else shutil.rmtree(path)
    assert short_trial.is_whole()
