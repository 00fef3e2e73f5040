"""A trial in a budget of steps, and its lives: each a referee that may be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harness.execution.base import RunOptions
from harness.execution.resolved import prepare_data
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Trial
from harness.record.attempts import final_end
from harness.record.log import read_events
from harness.record.schema import Evaluation, OtherSplits, SnapshotTaken
from harness.record.store import last_attempt
from harness.submission.reference import Framework
from tests.kit import in_steps
from workloads.spec import Grid

Point = tuple[object, ...]
"""What there is of a grid point."""

STEPS = 100
GRID = Grid(even=50, look_from=1.0, kept=5)
"""A look at every fifth of fifty points."""


def children_of(pid: int) -> list[int]:
    """The direct children of a process."""
    result = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1]) == pid:
                result.append(int(folder.name))
    return result


class Lives:
    """Runs trials in referees of their own, one after the other."""

    def __init__(self, framework: Framework, cache: Path) -> None:
        self.framework, self.cache = framework, cache
        path = Path(__file__).with_name("lives.py")
        self._server = subprocess.Popen(
            [sys.executable, str(path), framework, str(cache)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        with self._server:
            pass

    def trial(self, steps: int = STEPS, submission: str = "adamw", **changes: object) -> Trial:
        """A short trial that never reaches its target."""
        request = PlanRequest(
            "small_mlp", submission, "landscapes", ruleset="self", framework=self.framework
        )
        (only_trial,) = plan(request).trials
        trial = in_steps(only_trial, steps, GRID, **changes)
        prepare_data(trial, RunOptions(cache_dir=self.cache))
        return trial

    def begin(self, trial: Trial, store: Path) -> int:
        """Start a life, which begins with the plan; the referee's process id."""
        order = store.with_name(f"{store.name}.trial.json")
        order.write_text(trial.model_dump_json())
        print(order, store, file=self._server.stdin, flush=True)
        return int(self._answer())

    def end(self) -> int:
        """Wait for its end; the wait status."""
        return int(self._answer())

    def whole(self, trial: Trial, store: Path) -> None:
        """A life that nobody disturbs."""
        self.begin(trial, store)
        assert self.end() == 0

    def run_and_kill(
        self, trial: Trial, store: Path, events: int, who: str = "referee", prints: int = 0
    ) -> None:
        """A life that ends, or whose worker does, when the log has so many more events.

        Args:
            trial: what lives.
            store: where.
            events: further lines of the log.
            who: is killed.
            prints: lines that the worker prints after that: with one line a step, the kill does
                not fall between a checkpoint and the step that follows it.
        """
        log = store / trial.folder / "events.jsonl"
        before = _line_count(log)
        pid = self.begin(trial, store)
        _wait_for_lines(pid, log, before + events)
        printed = log.with_name("worker.log")
        _wait_for_lines(pid, printed, _line_count(printed) + prints)
        self._kill(pid, who)

    def killed_after(
        self, trial: Trial, store: Path, seconds: float, who: str, *, is_worker_there: bool
    ) -> bool:
        """A life that ends, or whose worker does, so many seconds after its start.

        Args:
            trial: what lives.
            store: where.
            seconds: until the kill.
            who: is killed.
            is_worker_there: whether the seconds count from when it has a worker.

        Returns:
            whether there was someone left to kill.
        """
        pid = self.begin(trial, store)
        if is_worker_there:
            self.wait_for_worker(pid)
        time.sleep(seconds)
        return self._kill(pid, who)

    def wait_for_worker(self, pid: int) -> None:
        """Until a referee has a worker, or is dead."""
        while not worker_of(pid) and not _is_over(pid):
            time.sleep(0.002)

    def _kill(self, pid: int, who: str) -> bool:
        was_alive = not _is_over(pid)
        victims = {"referee": [pid], "worker": worker_of(pid), "both": [*worker_of(pid), pid]}
        for victim in victims[who]:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        self.end()
        return was_alive and bool(victims[who])

    def _answer(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline()


def _line_count(file: Path) -> int:
    return len(file.read_bytes().splitlines()) if file.exists() else 0


def _wait_for_lines(pid: int, file: Path, lines: int) -> None:
    """Until the file has so many, or the process is over."""
    while _line_count(file) < lines and not _is_over(pid):
        time.sleep(0.002)


def _is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return True


def worker_of(referee: int) -> list[int]:
    """The processes that a referee's fork server has forked."""
    return [worker for fork_server in children_of(referee) for worker in children_of(fork_server)]


def has_ended(trial: Trial, store: Path) -> bool:
    path = store / trial.folder / "events.jsonl"
    return path.exists() and final_end(read_events(path)) is not None


def curve(trial: Trial, store: Path) -> list[Point]:
    """Losses, as claimed, and metrics, as measured, at every grid point."""
    result: list[Point] = []
    attempt = last_attempt(store / trial.folder)
    for event in attempt.events if attempt else ():
        data = event.data
        if isinstance(data, SnapshotTaken):
            result.append((data.step, data.claims.train_loss, data.claims.examples))
        elif isinstance(data, Evaluation):
            result.append((data.step, data.validation))
        elif isinstance(data, OtherSplits):
            result.append((data.step, data.probe))
    return result


def _lives(framework: Framework, cache: Path) -> Iterator[Lives]:
    lives = Lives(framework, cache)
    yield lives
    lives.close()


@pytest.fixture(scope="session")
def torch_lives(data_cache: Path) -> Iterator[Lives]:
    yield from _lives("torch", data_cache)


@pytest.fixture(scope="session")
def jax_lives(data_cache: Path) -> Iterator[Lives]:
    yield from _lives("jax", data_cache)
