"""seccomp: a process gives up, for itself and its children, system calls that training never needs.

The filter refuses a list of calls with EPERM; see seccomp(2). It blocks: inspecting other
processes; sockets, and pairs of them that can send to others; new namespaces and mounts; leaving
the process group (by which a worker is frozen) or the pinned cores; arranging for a chosen signal
to be sent to itself later, for example by a child's exit (SIGCONT wakes a frozen process); querying
or changing which parts of files are in the page cache (which outlasts a trial); changing file
permissions, clocks and modules; and ways around the filter.
"""

from __future__ import annotations

import ctypes
import errno
import signal
import socket
import struct
from collections.abc import Iterator, Sequence

from harness.sandboxes import libc

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Numbers from 424 on are the same on every machine.
_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "fchmodat2": 452,
    "setxattrat": 463, "removexattrat": 466, "open_tree_attr": 467, "cachestat": 451,
}  # fmt: skip
_OF_MACHINE = {
    "x86_64": {
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
        "perf_event_open": 298, "bpf": 321, "userfaultfd": 323, "add_key": 248,
        "request_key": 249, "keyctl": 250, "socket": 41, "mount": 165, "umount2": 166,
        "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "init_module": 175,
        "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320,
        "reboot": 169, "swapon": 167, "swapoff": 168, "settimeofday": 164,
        "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305, "setsid": 112,
        "setpgid": 109, "syslog": 103, "acct": 163, "quotactl": 179, "mknod": 133,
        "mknodat": 259, "iopl": 172, "ioperm": 173, "chmod": 90, "fchmod": 91, "fchmodat": 268,
        "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "setxattr": 188,
        "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198,
        "fremovexattr": 199, "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280,
        "sched_setaffinity": 203, "timer_create": 222, "mq_notify": 244, "mincore": 27,
        "fadvise64": 221, "readahead": 187, "io_setup": 206,
    },
    "aarch64": {
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "perf_event_open": 241, "bpf": 280, "userfaultfd": 282, "add_key": 217,
        "request_key": 218, "keyctl": 219, "socket": 198, "mount": 40, "umount2": 39,
        "pivot_root": 41, "chroot": 51, "setns": 268, "unshare": 97, "name_to_handle_at": 264,
        "open_by_handle_at": 265, "init_module": 105, "finit_module": 273,
        "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294, "reboot": 142,
        "swapon": 224, "swapoff": 225, "settimeofday": 170, "clock_settime": 112,
        "adjtimex": 171, "clock_adjtime": 266, "setsid": 157, "setpgid": 154, "syslog": 116,
        "acct": 89, "quotactl": 60, "mknodat": 33, "fchmod": 52, "fchmodat": 53, "fchown": 55,
        "fchownat": 54, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14,
        "lremovexattr": 15, "fremovexattr": 16, "utimensat": 88, "sched_setaffinity": 122,
        "timer_create": 107, "mq_notify": 184, "mincore": 232, "fadvise64": 223,
        "readahead": 213, "io_setup": 0,
    },
}  # fmt: skip
_CLONE = {"x86_64": 56, "aarch64": 220}
_SOCKETPAIR = {"x86_64": 53, "aarch64": 199}
_PRCTL = {"x86_64": 157, "aarch64": 167}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_FCNTL = {"x86_64": 72, "aarch64": 25}
_MADVISE = {"x86_64": 28, "aarch64": 233}
_PREADV2 = {"x86_64": 327, "aarch64": 286}
_PWRITEV2 = {"x86_64": 328, "aarch64": 287}
_CLONE3 = 435
_X32_BIT = 0x40000000
NEW_NAMESPACE = 0x7E020080
"""CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
_SET_PDEATHSIG, _SET_DUMPABLE = 1, 4
_SET_SIGNAL = 10
"""An fcntl command that replaces SIGIO as the signal for a ready descriptor."""
_COLD, _PAGE_OUT = 20, 21
"""madvise arguments that drop a file's pages from memory."""
_EXIT_SIGNAL = 0xFF
"""The bits of clone's flags with the signal sent to the parent when the child ends."""
_EXIT_SIGNALS = (0, signal.SIGCHLD)
_PAIR_TYPE = 0xF
"""The bits of a socket's type without its flags."""
_PAIR_TYPES = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)
"""One of a pair of datagram sockets can send to any address, in the file system as well."""
_ALL_BITS = 0xFFFFFFFF

_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_REFUSE, _UNKNOWN = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_LOAD, _IF_EQUAL, _IF_BITS, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_AND = 0x54
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_AT, _SECOND_AT, _THIRD_AT, _SIXTH_AT = 0, 4, 16, 24, 32, 56
_SET_MODE_FILTER, _ALL_THREADS = 1, 1


def refused_calls(machine: str) -> dict[str, int]:
    """The numbers of the system calls that are always refused, by name."""
    return _OF_MACHINE[machine] | _EVERYWHERE


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _filter(machine: str, sockets: Sequence[int]) -> Iterator[bytes]:
    yield _instruction(_LOAD, _ARCHITECTURE_AT)
    yield _instruction(_IF_EQUAL, _ARCHITECTURES[machine], 1, 0)
    yield _instruction(_RETURN, _KILL)
    yield _instruction(_LOAD, _NUMBER_AT)
    if machine == "x86_64":
        yield _instruction(_IF_AT_LEAST, _X32_BIT, 0, 1)
        yield _instruction(_RETURN, _KILL)
    calls = refused_calls(machine)
    if sockets:
        yield from _allowed_bits(calls.pop("socket"), _FIRST_AT, _ALL_BITS, sockets)
    for number in calls.values():
        yield _instruction(_IF_EQUAL, number, 0, 1)
        yield _instruction(_RETURN, _REFUSE)
    # The C library falls back to `clone`, whose flags a filter can see.
    yield _instruction(_IF_EQUAL, _CLONE3, 0, 1)
    yield _instruction(_RETURN, _UNKNOWN)
    yield from _refused_argument(_CLONE[machine], _FIRST_AT, _IF_BITS, NEW_NAMESPACE)
    yield from _allowed_bits(_CLONE[machine], _FIRST_AT, _EXIT_SIGNAL, _EXIT_SIGNALS)
    yield from _allowed_bits(_SOCKETPAIR[machine], _SECOND_AT, _PAIR_TYPE, _PAIR_TYPES)
    yield from _refused_argument(_PRCTL[machine], _FIRST_AT, _IF_EQUAL, _SET_PDEATHSIG)
    yield from _refused_argument(_PRCTL[machine], _FIRST_AT, _IF_EQUAL, _SET_DUMPABLE)
    yield from _refused_argument(_FCNTL[machine], _SECOND_AT, _IF_EQUAL, _SET_SIGNAL)
    for advice in (_COLD, _PAGE_OUT):
        yield from _refused_argument(_MADVISE[machine], _THIRD_AT, _IF_EQUAL, advice)
    # their flags reveal or drop what is in the page cache
    for number in (_PREADV2[machine], _PWRITEV2[machine]):
        yield from _refused_argument(number, _SIXTH_AT, _IF_BITS, _ALL_BITS)
    yield _instruction(_RETURN, _ALLOW)


def _allowed_bits(number: int, place: int, mask: int, values: Sequence[int]) -> Iterator[bytes]:
    """Refuse a call unless some bits of an argument have one of some values; the call number is
    loaded before and after.
    """
    yield _instruction(_IF_EQUAL, number, 0, 4 + len(values))
    yield _instruction(_LOAD, place)
    yield _instruction(_AND, mask)
    for count, value in enumerate(values):
        yield _instruction(_IF_EQUAL, value, len(values) - count)
    yield _instruction(_RETURN, _REFUSE)
    yield _instruction(_LOAD, _NUMBER_AT)


def _refused_argument(number: int, place: int, test: int, value: int) -> Iterator[bytes]:
    """Refuse a call by one of its arguments; the call number is loaded before and after."""
    yield _instruction(_IF_EQUAL, number, 0, 4)
    yield _instruction(_LOAD, place)
    yield _instruction(test, value, 0, 1)
    yield _instruction(_RETURN, _REFUSE)
    yield _instruction(_LOAD, _NUMBER_AT)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def restrict(*, may_reach_driver: bool = False, may_find_ranks: bool = False) -> None:
    """Install the filter irrevocably; `no_new_privs` must be set.

    Args:
        may_reach_driver: allow AF_UNIX sockets, as NVIDIA's driver may open one; in the worker's
            own network namespace there is nobody to connect to.
        may_find_ranks: allow sockets in the worker's own network, over which its ranks connect,
            until `refuse_sockets`.

    Raises:
        OSError: the kernel refuses it, or the call numbers of this architecture are unknown.
    """
    ranks = (socket.AF_INET, socket.AF_NETLINK) if may_find_ranks else ()
    _install([*_filter(_machine(), [socket.AF_UNIX] * may_reach_driver + [*ranks])])


def refuse_sockets() -> None:
    """Refuse all further sockets to all threads of this process; open ones stay open.

    Raises:
        OSError: as `restrict`.
    """
    machine = _machine()
    _install(
        [
            _instruction(_LOAD, _NUMBER_AT),
            _instruction(_IF_EQUAL, _OF_MACHINE[machine]["socket"], 0, 1),
            _instruction(_RETURN, _REFUSE),
            _instruction(_RETURN, _ALLOW),
        ],
        _ALL_THREADS,
    )


def _machine() -> str:
    if libc.MACHINE not in _ARCHITECTURES:
        raise OSError(f"seccomp: the system calls of {libc.MACHINE} are not known")
    return libc.MACHINE


def _install(instructions: Sequence[bytes], flags: int = 0) -> None:
    program = _Program(len(instructions), b"".join(instructions))
    number = _SECCOMP[_machine()]
    libc.syscall("seccomp", number, _SET_MODE_FILTER, flags, ctypes.byref(program))
