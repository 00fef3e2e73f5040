"""Has the exit of a child, which takes its time, wake a stopped helper: it has a program compute
while the clock stands, and stops itself again.

The helper uses hardly any time itself, and the program is a zombie when the worker is thawed.
Many idle processes make it likely that whoever looks at one after the other sees the helper while
it is stopped still, and the child when it has ended.
"""

import mmap
import os
import signal
import time
from typing import NoReturn

from torch import Tensor

from harness.sandboxes import libc
from harness.submission.interface import Stream

from .honest import Honest

CLONE = {"x86_64": 56, "aarch64": 220}[libc.MACHINE]
IDLE, HELD_BYTES = 150, 2**28
WORK = """
start=$(/bin/date +%s.%N); i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done
echo worked $start $(/bin/date +%s.%N)
"""


class Submission(Honest):
    order: mmap.mmap | None = None
    helper = 0

    def act(self) -> None:
        self.order = mmap.mmap(-1, 1)
        if (pid := os.fork()) == 0:
            helper(self.order)
        self.helper = pid
        for _ in range(IDLE):
            if os.fork() == 0:
                while True:
                    signal.pause()

    def step(self, stream: Stream[Tensor]) -> Tensor:
        if self.order is not None and self.order[0] == 0:
            self.order[0] = 1  # have the next child made
            while self.order[0] in (1, 4):
                os.kill(self.helper, signal.SIGCONT)  # if it has stopped itself after a thaw
                time.sleep(0.01)
        return super().step(stream)

    def eval_parameters(self) -> dict[str, Tensor]:
        if self.order is not None and self.order[0] == 2:
            self.order[0] = 3  # have it exit
            time.sleep(0.005)
        return super().eval_parameters()


def helper(order: mmap.mmap) -> NoReturn:
    signal.signal(signal.SIGCONT, lambda *_: work(order))
    while True:
        if order[0] == 1:
            order[0] = 4
            try:
                pid = libc.syscall("clone", CLONE, int(signal.SIGCONT), None, None, None, None)
            except OSError as error:
                print(f"refused: {error}", flush=True)
                pid, order[0] = -1, 5
            if pid == 0:
                exit_late(order)
        time.sleep(0.002)


def exit_late(order: mmap.mmap) -> NoReturn:
    held = mmap.mmap(-1, HELD_BYTES)
    for _ in range(HELD_BYTES // 2**20):
        held.write(b"1" * 2**20)
    order[0] = 2
    while order[0] == 2:
        time.sleep(0.001)
    os._exit(0)


def work(order: mmap.mmap) -> None:
    """Have a program compute, if this is the first SIGCONT since the child was to exit."""
    if order[0] == 3:
        order[0] = 0
        os.posix_spawn("/bin/sh", ("sh", "-c", WORK), {})
        os.kill(os.getpid(), signal.SIGSTOP)
