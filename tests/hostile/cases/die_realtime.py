"""Dies by a signal that has no name, so that whoever names it falls over."""

import os
import signal

from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        os.kill(os.getpid(), signal.SIGRTMIN + 1)
