"""Tests which layers this kernel offers to this user, each in a child process.

Started by `harness.sandboxes.start`, it prints one JSON object: layer -> "" or why it does not
work.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.sandboxes import libc
from harness.sandboxes.kernel import cgroup, landlock, limits, namespaces, seccomp

_TIME_LIMIT_S = 10


def probe_layers() -> dict[str, str]:
    """Every layer by name, with the reason why it does not work, or an empty text."""
    return {name: _in_child(attempt) for name, attempt in ATTEMPTS.items()}


def _in_child(attempt: Callable[[], None]) -> str:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        reason = "it broke off"
        try:
            attempt()
            reason = ""
        except (OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
        finally:
            os.write(writer, reason.encode())
            os._exit(0 if not reason else 1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        reason = pipe.read().decode()
    _, status = os.waitpid(pid, 0)
    return reason or ("" if status == 0 else f"wait status {status}")


def _as_administrator() -> None:
    if os.getuid() != 0:
        namespaces.enter_user_namespace()


def _network() -> None:
    _as_administrator()
    namespaces.leave_network()
    names = [name for _, name in socket.if_nameindex()]
    _require(names == ["lo"], f"devices remain: {', '.join(names)}")


def _mounts() -> None:
    _as_administrator()
    with tempfile.TemporaryDirectory() as folder:
        scratch, hidden_path = Path(folder, "scratch"), Path(folder, "hidden")
        for place in (scratch, hidden_path):
            place.mkdir()
        Path(hidden_path, "secret").touch()
        _in_another(lambda: _has_own_mounts(scratch, hidden_path))


def _has_own_mounts(scratch: Path, hidden_path: Path) -> None:
    namespaces.leave_mounts(scratch, 1, os.getuid(), [hidden_path])
    _require(not list(hidden_path.iterdir()), "a hidden folder can be read")
    Path(scratch, "file").touch()
    _require_refusal(Path(scratch.parent, "file").touch, "writing outside the scratch")


def _pids() -> None:
    _as_administrator()
    namespaces.hold_first_process()
    _in_another(lambda: _require(os.getpid() == 1, "the child is not the first process"))


def _proc() -> None:
    _as_administrator()
    namespaces.hold_first_process()
    _in_another(_sees_itself_only)


def _sees_itself_only() -> None:
    namespaces.show_own_processes()
    names = {path.name for path in Path("/proc").iterdir() if path.name.isdigit()}
    _require(names == {"1"}, "other processes can be seen")


def _in_another(act: Callable[[], None]) -> None:
    reason = _in_child(act)
    _require(not reason, reason)


def _identity() -> None:
    if os.getuid() == 0:
        _require(limits.own_user() != 0, "no other user exists here")
        limits.become(limits.own_user(), may_read_all=False)
        _require_refusal(lambda: os.setuid(0), "becoming root again")


def _landlock() -> None:
    libc.gain_nothing_by_exec()
    landlock.restrict([])
    _require_refusal(lambda: list(Path("/").iterdir()), "reading a folder")


def _seccomp() -> None:
    libc.gain_nothing_by_exec()
    seccomp.restrict()
    _require_refusal(socket.socket, "opening a socket")


def _cgroup() -> None:
    pid = os.fork()
    if pid == 0:
        time.sleep(_TIME_LIMIT_S)
        os._exit(0)
    try:
        group = cgroup.confine(pid, 2**30, 16)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    group.remove()


def _require(is_so: bool, complaint: str) -> None:
    if not is_so:
        raise ValueError(complaint)


def _require_refusal(act: Callable[[], object], what: str) -> None:
    try:
        act()
    except OSError:
        return
    raise ValueError(f"{what} is not refused")


ATTEMPTS: Mapping[str, Callable[[], None]] = {
    "network": _network,
    "mounts": _mounts,
    "pids": _pids,
    "proc": _proc,
    "identity": _identity,
    "landlock": _landlock,
    "seccomp": _seccomp,
    "cgroup": _cgroup,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe_layers()))
