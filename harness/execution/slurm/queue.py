"""Queries Slurm's queue with its commands, where trials are submitted and never on nodes.

The queue does not show whether a trial has finished: a job that has left it may have been
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
"""Slurm's default MaxArraySize, used if `scontrol` does not answer."""


class QueueFullError(HarnessError):
    """Slurm accepts no more jobs now, from anybody or from this user."""


FULL = re.compile(r"submit *limit|maxsubmit|queue full|temporarily una", re.IGNORECASE)
"""Slurm's messages for a full queue."""


STUCK_REASON = re.compile(
    r"Partition\w*Limit|BadConstraints|NotAllowed|Invalid|MaxWall|PerJob|launch.failed", re.I
)
"""Reasons for pending that never resolve by themselves."""


@dataclass(frozen=True)
class SiteLimits:
    """A site's limits."""

    array_tasks: int
    """The most tasks of one array."""
    jobs: int | None
    """The most jobs in the whole queue; None if unknown."""


@dataclass(frozen=True)
class Task:
    """A task in the queue."""

    name: str
    """Of its job."""
    index: int
    """Its index in the array; 0 for a job that is not an array."""
    state: str
    reason: str


def site_limits() -> SiteLimits:
    """The site's limits, or Slurm's defaults if `scontrol` is not installed."""
    try:
        text = ask("scontrol", "show", "config")
    except HarnessError:
        return SiteLimits(DEFAULT_ARRAY_LIMIT - 1, None)
    values = dict(re.findall(r"^(\w+)\s*=\s*(\d+)\s*$", text, re.MULTILINE))
    largest = int(values.get("MaxArraySize", DEFAULT_ARRAY_LIMIT))
    jobs = values.get("MaxJobCount")
    return SiteLimits(max(1, largest - 1), int(jobs) if jobs else None)


def tasks_of(names: Collection[str]) -> tuple[Task, ...]:
    """The queued tasks of jobs with these names.

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
    """Refuse to wait for tasks that can never start.

    Raises:
        HarnessError: there is one; the message has Slurm's reason.
    """
    for task in tasks:
        if task.state == "PENDING" and STUCK_REASON.search(task.reason):
            raise HarnessError(
                f"executor 'slurm': task {task.index} of job {task.name} will never start: "
                f"{task.reason}",
                hint(task.reason),
            )


def length() -> int:
    """The number of all users' tasks that Slurm holds, as far as the site shows them.

    Recently ended tasks count towards its limit too.
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
    """Ask Slurm whether it would accept a job with these options, without queueing one.

    Raises:
        HarnessError: it would not; the message has Slurm's reason.
    """
    flags = [
        f"--{key.replace('_', '-')}" + ("" if value is True else f"={value}")
        for key, value in request.items()
    ]
    ask("sbatch", "--test-only", *flags, "--wrap=true")


def _ask_again(*command: str) -> str:
    """As `ask`, with retries for a controller that is busy or restarting."""
    for pause_s in PAUSES_S:
        try:
            return ask(*command)
        except HarnessError:
            time.sleep(pause_s)
    return ask(*command)


def ask(*command: str) -> str:
    """Run a Slurm command; returns its output.

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
        message = process.stderr.strip() or process.stdout.strip() or "no error message"
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
"""Hints by words in Slurm's messages; earlier ones take precedence."""


def hint(message: str) -> str:
    """The hint for a Slurm error."""
    words = message.lower()
    return next((hint for word, hint in HINTS if word in words), "see: squeue --me --long")
