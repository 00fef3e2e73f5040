"""Kills the process that has forked it, so that nobody hears of its own end."""

import os
import signal
import time

from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60.0)
