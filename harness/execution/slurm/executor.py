"""The executor `slurm`: each trial is a task of a job array, finished when its record is.

A trial that is already in the queue, for example from an earlier command, is waited for. One that
has left the queue without a result (preempted and not requeued, out of time, lost with its node) is
queued again and resumes from its checkpoint. If a trial is started twice, because a job was both
requeued and queued again, the lock on its folder lets only one of them run.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from harness.core.errors import HarnessError
from harness.display.base import Display
from harness.execution.base import Resources, RunOptions
from harness.execution.remote import Outcome, outcome_of, resources_of, run_command, trial_command
from harness.execution.slurm import queue
from harness.execution.slurm.arrays import Arrays
from harness.execution.slurm.profile import SlurmProfile
from harness.execution.slurm.tries import Tries
from harness.plan.trial import Trial, TrialRecord
from harness.record.plan import record_of, unfinished_trials
from harness.record.store import is_held
from workloads.toml import read_toml

P = ParamSpec("P")
T = TypeVar("T")


class SlurmExecutor:
    """Queues trials on the cluster of this login node and waits for their records.

    Args:
        store: the folder of the trials' records, on a file system that the nodes share.
        display: is notified of the queue, and of each trial that has ended.
        jobs: 1; how many run at once is the profile's `max_running`.
        profile: a `SlurmProfile`; None for the site's defaults.

    Raises:
        HarnessError: `jobs` is not 1, the profile is invalid, submitit is not installed, or there
            is no Slurm here.
    """

    def __init__(
        self, store: Path, display: Display, *, jobs: int = 1, profile: Path | None = None
    ) -> None:
        if jobs != 1:
            raise HarnessError(
                f"executor 'slurm' does not accept --jobs ({jobs})",
                "how many trials run at once is the key 'max_running' of its profile",
            )
        self._profile = read_toml(profile, SlurmProfile) if profile else SlurmProfile()
        self._store, self._display = store.absolute(), display
        self._arrays = Arrays(self._store, self._profile)
        self._last_note = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            with suppress(HarnessError):  # there is one already
                queue.cancel(self._arrays.own_names)
        self._display.close()

    def call(
        self, need: Resources, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function on a node, as a job of its own."""
        self._check(need, 1)
        name, result = self._arrays.submit_call(need, outcome_of, function, *args, **kwargs)
        self._display.note(f"slurm: job {name} looks at a node and waits for one")
        misses = 0
        try:
            while not result.exists() and misses < 2:
                time.sleep(self._profile.poll_s)
                tasks = queue.tasks_of([name])
                queue.refuse_stuck(tasks)
                misses = 0 if tasks else misses + 1
        except BaseException:
            queue.cancel([name])
            raise
        value: T = self._outcome(result, name).result()
        return value

    def run(self, trials: Sequence[Trial], options: RunOptions) -> tuple[TrialRecord, ...]:
        """Run the trials that have no finished record; return the records of all.

        Raises:
            HarnessError: Slurm refuses them, or some left the queue repeatedly without progress.
        """
        pending = unfinished_trials(trials, self._store)
        if pending:
            need, tasks = resources_of(pending, options), self._arrays.queued_tasks()
            self._arrays.wait_for([trial.identity for trial in pending])
            if to_queue := sum(trial.identity not in tasks for trial in pending):
                self._check(need, to_queue)
            given_up = self._wait_for_all({t.identity: t for t in pending}, need, options)
            if given_up:
                raise self._no_progress_error(given_up)
        return tuple(record_of(trial, self._store) for trial in trials)

    def _wait_for_all(
        self, pending: dict[str, Trial], need: Resources, options: RunOptions
    ) -> list[Trial]:
        """Keep the queue filled until every trial has ended or is given up; returns the latter."""
        largest, tries = queue.site_limits().array_tasks, Tries(self._store, self._profile.attempts)
        before: frozenset[str] = frozenset()
        hopeless_trials: list[Trial] = []
        while pending:
            tasks = self._arrays.queued_tasks()
            queue.refuse_stuck(tasks.values())
            for identity in (before & pending.keys()) - tasks.keys():
                self._finish(pending, identity)
            # a result may reach this machine later than the queue's word that its job is gone
            absent = [i for i in pending if i not in tasks and i not in before]
            identities = absent[: max(0, self._profile.max_queued - len(tasks))]
            identities = [
                identity for identity in identities if not self._finish(pending, identity)
            ]
            # one that runs though it is in no array of ours was queued by who could not say so
            identities = [i for i in identities if not is_held(self._store / pending[i].folder)]
            hopeless = [identity for identity in identities if tries.are_over(pending[identity])]
            hopeless_trials += [pending.pop(identity) for identity in hopeless]
            to_queue = [pending[identity] for identity in identities if identity in pending]
            before = frozenset(tasks)
            for start in range(0, len(to_queue), largest):
                part = to_queue[start : start + largest]
                if not self._submit(part, need, options, is_first=not before):
                    break
                before |= {trial.identity for trial in part}
                for trial in part:
                    tries.count(trial)
            if pending and tasks:
                self._say(tasks, len(pending))
            if pending:
                time.sleep(self._profile.poll_s)
        return hopeless_trials

    def _submit(
        self, trials: Sequence[Trial], need: Resources, options: RunOptions, *, is_first: bool
    ) -> bool:
        """Queue trials as an array; returns whether Slurm accepted them.

        Raises:
            HarnessError: it did not, and not because the queue is full of this store's own trials,
                which will leave it.
        """
        commands = [trial_command(trial, self._store, options) for trial in trials]
        try:
            job = self._arrays.submit([t.identity for t in trials], need, run_command, commands)
        except queue.QueueFullError:
            if is_first:
                raise
            return False
        self._display.note(f"slurm: {len(trials)} trials are queued as job {job}")
        return True

    def _finish(self, pending: dict[str, Trial], identity: str) -> bool:
        """Whether a trial's record has a result; it is then shown and removed from `pending`."""
        record = record_of(pending[identity], self._store)
        if record.result is None:
            return False
        del pending[identity]
        self._display.finish(record)
        return True

    def _check(self, need: Resources, count: int) -> None:
        """Ask Slurm, before anything is queued, whether it would accept the jobs.

        Raises:
            HarnessError: it does not accept such jobs, or its queue is full.
        """
        limits = queue.site_limits()
        first = min(count, self._profile.max_queued, limits.array_tasks)
        if limits.jobs is not None and (length := queue.length()) + first >= limits.jobs:
            raise queue.QueueFullError(
                f"executor 'slurm': the queue is full: it holds {length} of at most {limits.jobs} "
                f"jobs, and {first} are to follow",
                "wait, or queue fewer at once: the profile's key 'max_queued'",
            )
        queue.check_request(self._profile.request(need))

    def _say(self, tasks: dict[str, queue.Task], pending: int) -> None:
        waiting = [task for task in tasks.values() if task.state == "PENDING"]
        reasons = ", ".join(sorted({task.reason for task in waiting} - {"None"}))
        note = f"slurm: {pending} trials to go, {len(tasks) - len(waiting)} running"
        note += f", {len(waiting)} waiting ({reasons})" if waiting else ""
        if note != self._last_note:
            self._display.note(note)
            self._last_note = note

    def _outcome(self, result: Path, name: str) -> Outcome[Any]:
        if not result.exists():
            raise HarnessError(
                f"executor 'slurm': job {name} has ended without a result",
                f"its output is in {result.parent}",
            )
        state, value = pickle.loads(result.read_bytes())
        if state != "success":
            raise HarnessError(
                f"executor 'slurm': job {name} failed: {str(value).strip().splitlines()[-1]}",
                f"its output is in {result.parent}",
            )
        outcome: Outcome[Any] = value
        return outcome

    def _no_progress_error(self, trials: Sequence[Trial]) -> HarnessError:
        output = self._arrays.output(trials[0].identity)
        return HarnessError(
            f"executor 'slurm': {len(trials)} trials left the queue {self._profile.attempts} times "
            f"without making progress, the first of them {trials[0].folder}",
            f"see its output: {output}; if it ran out of time, raise the profile's 'time_min' "
            "or lower --checkpoint-every",
        )
