"""What Slurm's commands say of its queue. They run where trials are submitted, never on nodes.

Whether a trial has finished is never asked here: a job that is gone from the queue may have been
preempted, killed or lost with its node. Only a trial's record says that it has ended.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from getpass import getuser

from harness.core.errors import HarnessError

TIMEOUT_S = 60.0
PAUSES_S = (5.0, 15.0, 60.0)
DEFAULT_ARRAY_LIMIT = 1001
"""Slurm's own MaxArraySize, where `scontrol` does not answer: indices are below it."""


class QueueFullError(HarnessError):
    """Slurm takes no more jobs now: of anybody, or of this user."""


FULL = re.compile(r"submit *limit|maxsubmit|queue full|temporarily una", re.IGNORECASE)
"""What Slurm says then."""


STUCK_REASON = re.compile(
    r"Partition\w*Limit|BadConstraints|NotAllowed|Invalid|MaxWall|PerJob|launch.failed", re.I
)
"""Reasons of waiting that do not pass by themselves."""


@dataclass(frozen=True)
class SiteLimits:
    """What a site's Slurm takes."""

    array_tasks: int
    """The most tasks of one array."""
    jobs: int | None
    """The most jobs in the whole queue; None if it does not say."""


@dataclass(frozen=True)
class Task:
    """A task in the queue."""

    name: str
    """Of its job."""
    index: int
    """In its array; 0 of a job that is none."""
    state: str
    reason: str


def site_limits() -> SiteLimits:
    """The site's limits; where `scontrol` is not installed, Slurm's defaults."""
    try:
        text = ask("scontrol", "show", "config")
    except HarnessError:
        return SiteLimits(DEFAULT_ARRAY_LIMIT - 1, None)
    values = dict(re.findall(r"^(\w+)\s*=\s*(\d+)\s*$", text, re.MULTILINE))
    largest = int(values.get("MaxArraySize", DEFAULT_ARRAY_LIMIT))
    jobs = values.get("MaxJobCount")
    return SiteLimits(max(1, largest - 1), int(jobs) if jobs else None)


def tasks_of(names: Collection[str]) -> tuple[Task, ...]:
    """The tasks of jobs of these names that are in the queue.

    Raises:
        HarnessError: the queue cannot be read.
    """
    if not names:
        return ()
    flags = ("--noheader", "--array", f"--user={getuser()}", "--format=%j|%K|%T|%r")
    text = _ask_again("squeue", *flags, f"--name={','.join(names)}")
    tasks = []
    for line in text.splitlines():
        name, index, state, reason = line.split("|", 3)
        tasks.append(Task(name, int(index) if index.isdecimal() else 0, state, reason))
    return tuple(tasks)


def refuse_stuck(tasks: Iterable[Task]) -> None:
    """Refuse to wait for tasks that will never start as they are.

    Raises:
        HarnessError: one is of that kind; the message is Slurm's reason.
    """
    for task in tasks:
        if task.state == "PENDING" and STUCK_REASON.search(task.reason):
            raise HarnessError(
                f"executor 'slurm': task {task.index} of job {task.name} will never start: "
                f"{task.reason}",
                hint(task.reason),
            )


def length() -> int:
    """How many tasks of all users Slurm remembers, as far as the site shows them.

    It counts those against its limit that ended a while ago, too.
    """
    flags = ("--noheader", "--array", "--states=all", "--format=%i")
    return len(ask("squeue", *flags).splitlines())


def cancel(names: Collection[str]) -> None:
    """Cancel the jobs of these names.

    Raises:
        HarnessError: Slurm does not answer.
    """
    for name in names:
        ask("scancel", f"--user={getuser()}", f"--name={name}")


def check_request(request: Mapping[str, object]) -> None:
    """Let Slurm say whether it would take a job that asks for this; none is queued.

    Raises:
        HarnessError: it would not; the message is Slurm's own.
    """
    flags = [
        f"--{key.replace('_', '-')}" + ("" if value is True else f"={value}")
        for key, value in request.items()
    ]
    ask("sbatch", "--test-only", *flags, "--wrap=true")


def _ask_again(*command: str) -> str:
    """The same as `ask`; a controller that is busy or restarts is asked several times."""
    for pause_s in PAUSES_S:
        try:
            return ask(*command)
        except HarnessError:
            time.sleep(pause_s)
    return ask(*command)


def ask(*command: str) -> str:
    """What a command of Slurm prints.

    Raises:
        HarnessError: it is not installed, or fails.
    """
    try:
        process = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise HarnessError(
            f"executor 'slurm': there is no command '{command[0]}' here",
            "run it on a login node of the cluster, or with another --executor",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise HarnessError(
            f"executor 'slurm': '{command[0]}' has not answered for {TIMEOUT_S:g} s",
            "see whether the controller answers: scontrol ping",
        ) from error
    if process.returncode != 0:
        message = process.stderr.strip() or process.stdout.strip() or "it says nothing"
        message = "; ".join(message.splitlines())
        raise HarnessError(f"executor 'slurm': {message}", hint(message))
    return process.stdout


HINTS = (
    ("configuration source", "run it on a login node, or name the site's file: SLURM_CONF=FILE"),
    ("unable to contact", "see whether the controller answers: scontrol ping"),
    ("munge", "see whether munge runs here with the cluster's key: munge -n | unmunge"),
    ("submit limit", "wait until some of your jobs have ended: squeue --me"),
    ("timelimit", "the partition's limits: sinfo -o '%P %l'; the profile's key is 'time_min'"),
    ("account", "your accounts: sacctmgr show associations user=$USER; the key is 'account'"),
    ("partition", "the partitions of this cluster: sinfo -s; the profile's key is 'partition'"),
    ("qos", "what you may use: sacctmgr show associations user=$USER; the key is 'qos'"),
    ("feature", "what the nodes have: sinfo -o '%n %f'; the profile's key is 'constraint'"),
    ("gres", "the GPUs of each node: sinfo -o '%n %G'; the keys are 'partition' and 'gpu_type'"),
    (
        "node configuration",
        "no node of the partition has these cores, GPUs and memory: sinfo -o '%n %c %m %G'; the "
        "profile's keys are 'partition', 'gpu_type' and 'memory_gib'; --threads and --devices "
        "make the number of cores",
    ),
)
"""What to do, by a word of what Slurm says; the names of its calls hold some of the later ones."""


def hint(message: str) -> str:
    """What to do about an error of Slurm's."""
    words = message.lower()
    return next((hint for word, hint in HINTS if word in words), "see: squeue --me --long")
