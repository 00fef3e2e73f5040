"""Ends, and has a child go on in its place: whoever looks after the worker finds nobody."""

import os
import signal
import time

from torch import Tensor

from harness.submission.interface import Stream

from .honest import Honest, succeed


class Submission(Honest):
    leader = 0

    def act(self) -> None:
        self.leader = os.getpid()
        # the kernel hangs up on a group that loses its leader while a process of it is stopped
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if os.fork() != 0:
            time.sleep(0.05)
            os._exit(0)

    def step(self, stream: Stream[Tensor]) -> Tensor:
        if self.leader not in (0, os.getpid()):
            succeed("trains on after the worker's end")
        return super().step(stream)
