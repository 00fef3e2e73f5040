"""Leaves a process behind that outlives the trial."""

import os
import subprocess

from .facts import SLEEP_S
from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        if os.fork() == 0:
            try:
                os.setsid()
            except OSError as error:
                print(f"refused: {error}", flush=True)
            subprocess.Popen(["/bin/sleep", SLEEP_S])
            os._exit(0)
