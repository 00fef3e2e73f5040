"""Keeps track of a store's job arrays, so that a later command finds trials that are queued.

    STORE/slurm/<token>/trials.json    the identities of an array's trials, by index
    STORE/slurm/<token>/               submitit's own files: scripts, pickles, each task's output

The token is part of the array's job name. `trials.json` is written before the array is queued, so
whenever a command dies, the next one knows all queued trials.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.execution.base import Resources
from harness.execution.slurm import queue
from harness.execution.slurm.profile import SlurmProfile

if TYPE_CHECKING:
    import submitit

T = TypeVar("T")

FOLDER = "slurm"
TRIALS = "trials.json"
JOB = "guided-descent-"


class Arrays:
    """Queues job arrays, and knows which trials of its store are queued.

    Args:
        store: the folder of the trials' records, on a file system that the nodes share.
        profile: how to request machines.

    Raises:
        HarnessError: submitit is not installed, or there is no Slurm here.
    """

    def __init__(self, store: Path, profile: SlurmProfile) -> None:
        self._folder, self._profile = store / FOLDER, profile
        self._executor_class = _submitit_executor()
        self._open = {path.parent.name: _identities(path) for path in self._job_files()}
        """The identities of arrays that may still be in the queue, by token."""
        self._own = set[str]()
        """The tokens of arrays that this instance queued or waits for."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the jobs that may still be in the queue."""
        return tuple(JOB + token for token in self._open)

    @property
    def own_names(self) -> tuple[str, ...]:
        """Those of them that this instance queued or waits for; other commands have the others."""
        return tuple(JOB + token for token in self._open if token in self._own)

    def wait_for(self, identities: Collection[str]) -> None:
        """Take over the arrays that have some of these trials."""
        self._own.update(t for t, ids in self._open.items() if not set(ids).isdisjoint(identities))

    def queued_tasks(self) -> dict[str, queue.Task]:
        """The queued tasks by the identities of their trials; finished arrays are dropped.

        Raises:
            HarnessError: the queue cannot be read.
        """
        tasks = queue.tasks_of(self.names)
        live = {task.name.removeprefix(JOB) for task in tasks}
        self._open = {token: ids for token, ids in self._open.items() if token in live}
        return {self._open[task.name.removeprefix(JOB)][task.index]: task for task in tasks}

    def submit(
        self,
        identities: Sequence[str],
        need: Resources,
        function: Callable[[T], object],
        arguments: Sequence[T],
    ) -> str:
        """Queue an array with one call of a function per trial; returns the job number."""
        token = secrets.token_hex(6)
        write_whole(self._folder / token / TRIALS, json.dumps(list(identities)))
        executor = self._executor(token, need)
        self._open[token] = tuple(identities)
        self._own.add(token)
        jobs = _submit_jobs(lambda: executor.map_array(function, arguments))
        return str(jobs[0].job_id).partition("_")[0]

    def submit_call(
        self, need: Resources, function: Callable[..., object], *args: object, **kwargs: object
    ) -> tuple[str, Path]:
        """Queue one call; returns its job name and the file for its pickled result."""
        token = secrets.token_hex(6)
        executor = self._executor(token, need)
        job = _submit_jobs(lambda: executor.submit(function, *args, **kwargs))
        return JOB + token, Path(job.paths.result_pickle)

    def output(self, identity: str) -> Path | None:
        """The file with the output of a trial's last task."""
        for path in sorted(self._job_files(), key=_age, reverse=True):
            identities = _identities(path)
            if identity in identities:
                index = f"*_{identities.index(identity)}_0" if len(identities) > 1 else "*_0"
                return next(path.parent.glob(f"{index}_log.out"), None)
        return None

    def _job_files(self) -> list[Path]:
        return sorted(self._folder.glob(f"*/{TRIALS}"))

    def _executor(self, token: str, need: Resources) -> submitit.SlurmExecutor:
        executor = self._executor_class(self._folder / token)
        executor.update_parameters(**self._profile.parameters(need, JOB + token))
        return executor


def _submit_jobs(submit: Callable[[], T]) -> T:
    """Submit jobs with submitit, and raise its errors with Slurm's own message."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        return submit()
    except (FailedJobError, FailedSubmissionError) as error:
        message = re.sub(r"^.*?sbatch: error: ", "", str(error), flags=re.DOTALL).strip()
        kind = queue.QueueFullError if queue.FULL.search(message) else HarnessError
        raise kind(f"executor 'slurm': {message}", queue.hint(message)) from error


def _submitit_executor() -> Any:
    try:
        from submitit import SlurmExecutor
    except ImportError as error:
        raise HarnessError(
            "executor 'slurm' needs the package submitit, which is not installed",
            "pip install 'guided-descent[slurm]'",
        ) from error
    queue.ask("sinfo", "--noheader", "--summarize")  # whether there is a controller that answers
    return SlurmExecutor


def _age(path: Path) -> float:
    return path.stat().st_mtime


def _identities(path: Path) -> tuple[str, ...]:
    try:
        return tuple(map(str, json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as error:
        raise HarnessError(
            f"{path} cannot be read: {error}", f"delete {path.parent} if none of its jobs is queued"
        ) from error
