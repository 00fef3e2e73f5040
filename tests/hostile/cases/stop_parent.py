"""Stops the process that has forked it, so that the next trial waits for it."""

import os
import signal

from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        os.kill(os.getppid(), signal.SIGSTOP)
