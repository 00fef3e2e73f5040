"""The seccomp profile of a worker's container, in the form that Docker and Podman read.

From the container's first instruction on it refuses the calls that
`harness.sandboxes.kernel.seccomp` refuses by number, except those that a process needs to become a
worker: for a socket within the machine, a process group, and pinning. The worker then installs the
whole filter, which also checks arguments.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Set

from harness.core.errors import HarnessError
from harness.sandboxes import libc
from harness.sandboxes.kernel import seccomp

_ARCHITECTURES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
_REFUSE, _UNKNOWN = 1, 38
"""EPERM and ENOSYS."""
BECOMING = {"socket", "setpgid", "sched_setaffinity"}
"""Calls that the container's first process and a worker that confines itself still need."""
RANKS_MEET_BY = {socket.AF_INET, socket.AF_NETLINK}


def profile(machine: str = libc.MACHINE, *, may_find_ranks: bool = False) -> str:
    """The profile of an architecture, as JSON.

    Args:
        machine: the architecture.
        may_find_ranks: allow sockets in the container's own network, over which ranks connect; the
            worker gives them up afterwards.

    Raises:
        HarnessError: its system calls are not known.
    """
    if machine not in _ARCHITECTURES:
        raise HarnessError(
            f"there is no seccomp profile for {machine}",
            f"known: {', '.join(_ARCHITECTURES)}; elsewhere run with --sandbox plain",
        )
    names = sorted(set(seccomp.refused_calls(machine)) - BECOMING)
    rules = [
        _refuse(*names),
        *_refused_sockets({socket.AF_UNIX} | (RANKS_MEET_BY if may_find_ranks else set())),
        # The C library falls back to `clone`, whose flags a filter can see.
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _UNKNOWN},
        *(
            _refuse("clone", index=0, value=bit, valueTwo=bit, op="SCMP_CMP_MASKED_EQ")
            for bit in _bits(seccomp.NEW_NAMESPACE)
        ),
    ]
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": [_ARCHITECTURES[machine]],
            "syscalls": rules,
        }
    )


def _refused_sockets(families: Set[int]) -> Iterator[dict[str, object]]:
    """Refuse sockets of other families, with one rule per family, because a rule compares an
    argument with one value.
    """
    for family in set(range(max(families))) - families:
        yield _refuse("socket", index=0, value=family, op="SCMP_CMP_EQ")
    yield _refuse("socket", index=0, value=max(families), op="SCMP_CMP_GT")


def _refuse(*names: str, **argument: int | str) -> dict[str, object]:
    rule: dict[str, object] = {"names": list(names), "action": "SCMP_ACT_ERRNO"}
    return rule | {"errnoRet": _REFUSE, "args": [argument] if argument else []}


def _bits(mask: int) -> list[int]:
    return [1 << place for place in range(mask.bit_length()) if mask >> place & 1]
