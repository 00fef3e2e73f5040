"""CPU cores: which ones this process may use, and which a trial gets for itself.

A trial on the CPU pins its worker to as many cores as it has threads, and its referee to the
remaining cores if there are enough. Concurrent trials claim cores machine-wide: a claim is an
abstract socket name, which the kernel gives to one process at a time and releases when that process
ends in any way. Containers with separate networks do not see each other's claims.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from harness.core.recorded import Recorded

_TOPOLOGY = Path("/sys/devices/system/cpu")
_CLAIM = "guided-descent-core-"


class Cores(Recorded):
    """How a trial is pinned."""

    worker: tuple[int, ...]
    referee: tuple[int, ...]
    shared: tuple[int, ...] = ()
    """The worker's cores that another trial has claimed too, because there were not enough."""


@cache
def allowed_cores() -> tuple[int, ...]:
    """The cores that this process was started with, unaffected by its own pinning."""
    return tuple(sorted(os.sched_getaffinity(0)))


@contextmanager
def pin_cores(threads: int) -> Iterator[Cores]:
    """Claim cores for a trial, and keep this process, the referee, off them for its duration.

    The worker pins itself to the returned cores. A referee that would be left with fewer cores than
    threads keeps all cores, as it computes only while the worker is frozen.

    Args:
        threads: how many the referee and the worker use for computing.
    """
    with claim_cores(threads) as (worker, shared):
        others = tuple(core for core in allowed_cores() if core not in worker)
        referee = others if len(others) >= threads else allowed_cores()
        _keep_to(referee)
        try:
            yield Cores(worker=worker, referee=referee, shared=shared)
        finally:
            _keep_to(allowed_cores())


@contextmanager
def claim_cores(count: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Claim this many cores, or all; cores that others have claimed only if there are too few.

    Yields: the cores, and those of them that others have claimed too.
    """
    with ExitStack() as stack:
        own, busy = list[int](), list[int]()
        for core in _in_order(allowed_cores()):
            if len(own) == count:
                break
            claim = _claim(core)
            if claim is None:
                busy.append(core)
            else:
                stack.enter_context(claim)
                own.append(core)
        shared = busy[: count - len(own)]
        yield tuple(sorted(own + shared)), tuple(sorted(shared))


def taken_cores() -> tuple[int, ...]:
    """The allowed cores that running trials have claimed."""
    names = Path("/proc/net/unix").read_text("utf-8", errors="replace").split()
    return tuple(core for core in allowed_cores() if f"@{_CLAIM}{core}" in names)


def text(cores: Collection[int]) -> str:
    """Cores as text in the format of `taskset`: `0-3,8`."""
    parts: list[list[int]] = []
    for core in sorted(cores):
        if parts and parts[-1][-1] == core - 1:
            parts[-1][1:] = [core]
        else:
            parts.append([core])
    return ",".join("-".join(map(str, part)) for part in parts) or "none"


def _keep_to(cores: Collection[int]) -> None:
    """Pin every thread of this process, including those that a framework has started."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)


def _claim(core: int) -> socket.socket | None:
    """Claim a core by its socket name; None if another process has claimed it."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0{_CLAIM}{core}")
    except OSError:
        claim.close()
        return None
    return claim


def _in_order(cores: Collection[int]) -> list[int]:
    """Order hardware threads: first one of each core, then their siblings."""
    return sorted(cores, key=lambda core: (_siblings(core).index(core), core))


def _siblings(core: int) -> list[int]:
    """The hardware threads of the physical core that a logical core belongs to."""
    try:
        words = (_TOPOLOGY / f"cpu{core}/topology/thread_siblings_list").read_text("ascii")
        ranges = [list(map(int, part.split("-"))) for part in words.split(",")]
    except (OSError, ValueError):
        return [core]
    return [number for ends in ranges for number in range(ends[0], ends[-1] + 1)]
