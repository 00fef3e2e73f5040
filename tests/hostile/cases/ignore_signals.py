"""Ignores every signal that can be ignored, and steps for ever."""

import signal
import time

from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            if number < 32:
                signal.signal(number, signal.SIG_IGN)
        time.sleep(1000.0)
