"""Each layer in a child of its own, seen to refuse what it is there for."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.sandboxes.kernel import cgroup
from harness.sandboxes.kernel.sandbox import layers

WHY_NOT = {layer.name: layer.why for layer in layers() if not layer.is_active}
START = "import os, socket, json, resource\nfrom pathlib import Path\n"
SAY = """
found = []
for act in acts:
    try:
        found.append(act())
    except PermissionError:
        found.append("refused")
print(json.dumps(found))
"""


def in_child(code: str) -> Any:
    """What a child prints as JSON."""
    command = [sys.executable, "-c", START + code]
    process = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(process.stdout)


def needs(layer: str) -> pytest.MarkDecorator:
    reason = f"the layer {layer} does not work here: {WHY_NOT.get(layer)}"
    return pytest.mark.skipif(layer in WHY_NOT, reason=reason)


@needs("landlock")
def test_landlock_leaves_what_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_text("kept")
    (tmp_path / "out").write_text("secret")
    code = f"""
from harness.sandboxes import libc
from harness.sandboxes.kernel import landlock
libc.gain_nothing_by_exec()
folder = Path({str(tmp_path)!r})
landlock.restrict([(folder / "in", landlock.READ), (folder / "absent", landlock.READ)])
acts = [(folder / "in" / "file").read_text, (folder / "out").read_text,
        (folder / "in" / "new").touch]
"""
    assert in_child(code + SAY) == ["kept", "refused", "refused"]


@needs("seccomp")
def test_seccomp_refuses_by_number_and_by_argument() -> None:
    code = """
import ctypes
from harness.sandboxes import libc
from harness.sandboxes.kernel import seccomp
libc.gain_nothing_by_exec()
seccomp.restrict()
plain = ctypes.CDLL(None, use_errno=True)
found = {"unshare": plain.unshare(0x10000000), "ptrace": plain.ptrace(0, 0, 0, 0),
         "pdeathsig": plain.prctl(1, 0, 0, 0, 0), "name": plain.prctl(15, b"name", 0, 0, 0),
         "setsid": plain.setsid(), "pair": len(socket.socketpair()),
         "datagrams": plain.socketpair(1, 2 | socket.SOCK_CLOEXEC, 0, (ctypes.c_int * 2)())}
if (pid := os.fork()) == 0:
    os._exit(7)
found["fork"] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps(found))
"""
    assert in_child(code) == {
        "unshare": -1, "ptrace": -1, "pdeathsig": -1, "name": 0, "setsid": -1, "pair": 2,
        "datagrams": -1, "fork": 7,
    }  # fmt: skip


@needs("seccomp")
def test_seccomp_refuses_signals_to_oneself_that_come_later() -> None:
    code = """
import fcntl
from harness.sandboxes import libc
from harness.sandboxes.kernel import seccomp
libc.gain_nothing_by_exec()
seccomp.restrict()
number = {"x86_64": 222, "aarch64": 107}[libc.MACHINE]
acts = [lambda: fcntl.fcntl(0, 10, 18), lambda: bool(fcntl.fcntl(0, fcntl.F_GETFL) + 1),
        lambda: libc.syscall("timer_create", number, 1, None, None)]
"""
    assert in_child(code + SAY) == ["refused", True, "refused"]


@needs("seccomp")
def test_seccomp_lets_a_childs_end_send_sigchld_or_nothing() -> None:
    code = """
import signal
from harness.sandboxes import libc
from harness.sandboxes.kernel import seccomp
libc.gain_nothing_by_exec()
seccomp.restrict()
number = {"x86_64": 56, "aarch64": 220}[libc.MACHINE]

def ended(exit_signal):
    if (pid := libc.syscall("clone", number, exit_signal, None, None, None, None)) == 0:
        os._exit(7)
    WALL = 0x40000000  # for children that send no SIGCHLD, too
    return os.waitstatus_to_exitcode(os.waitpid(pid, WALL)[1])

acts = [lambda: ended(0), lambda: ended(signal.SIGCHLD), lambda: ended(signal.SIGCONT),
        lambda: ended(signal.SIGUSR1)]
"""
    assert in_child(code + SAY) == [7, 7, "refused", "refused"]


@needs("seccomp")
def test_seccomp_tells_nothing_of_what_is_in_memory() -> None:
    code = """
import ctypes, mmap, sys
from harness.sandboxes import libc
from harness.sandboxes.kernel import seccomp
libc.gain_nothing_by_exec()
seccomp.restrict()
file = os.open(sys.executable, os.O_RDONLY)
numbers = {"x86_64": (27, 187, 206), "aarch64": (232, 213, 0)}[libc.MACHINE]
held = mmap.mmap(-1, mmap.PAGESIZE)
acts = [
    lambda: os.preadv(file, [bytearray(1)], 0), lambda: os.pread(file, 1, 0)[0] > 0,
    lambda: held.madvise(mmap.MADV_DONTNEED),
    lambda: os.preadv(file, [bytearray(1)], 0, os.RWF_NOWAIT), lambda: held.madvise(21),
    lambda: os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED),
    lambda: libc.syscall("cachestat", 451, file, None, None, 0),
    *(lambda number=number: libc.syscall("asked", number, 0, 0, 0) for number in numbers),
]
"""
    assert in_child(code + SAY) == [1, True, None, *["refused"] * 7]


@needs("mounts")
def test_mounts_hide_and_bound_and_touch_nobody_else(tmp_path: Path) -> None:
    for name in ("scratch", "hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "hidden" / "file").touch()
    code = f"""
from harness.sandboxes.kernel import namespaces
if os.getuid() != 0:
    namespaces.enter_user_namespace()
folder = Path({str(tmp_path)!r})
namespaces.leave_mounts(folder / "scratch", 1, os.getuid(), [folder / "hidden"])
found = [len(list((folder / "hidden").iterdir()))]
try:
    Path("file").write_bytes(bytes(2 * 2**20))
except OSError as error:
    found.append(error.errno)
print(json.dumps(found))
"""
    assert in_child(code) == [0, 28]
    assert list((tmp_path / "hidden").iterdir()) and not list((tmp_path / "scratch").iterdir())


@needs("cgroup")
def test_a_control_group_holds_what_a_signal_would_wake() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        group = cgroup.confine(process.pid, 2**30, 16)
        control = group.freezable
        if control is not None:
            control.freeze()
            while not control.is_frozen:
                time.sleep(0.001)
            used_ns = control.processor_ns
            process.send_signal(signal.SIGCONT)
            time.sleep(0.2)
            is_frozen, more_ns = control.is_frozen, control.processor_ns - used_ns
        process.kill()
    group.remove()
    if control is None:
        pytest.skip("no control group of version 2 can be made here")
    assert is_frozen and more_ns < 1_000_000
    assert not any(folder.exists() for folder in group.folders)


@needs("proc")
def test_a_proc_of_ones_own_is_nobody_elses(tmp_path: Path) -> None:
    code = """
from harness.sandboxes.kernel import namespaces
if os.getuid() != 0:
    namespaces.enter_user_namespace()
namespaces.hold_first_process()
if os.fork() == 0:
    namespaces.show_own_processes()
    print(json.dumps(sorted(path.name for path in Path("/proc").glob("[0-9]*"))), flush=True)
    os._exit(0)
os.wait()
assert Path(f"/proc/self/status").exists()
"""
    assert in_child(code) == ["1"]
