"""Forks until it may not."""

import os
import time

from .honest import Honest, attempt


def fork() -> None:
    for _ in range(80):
        if os.fork() == 0:
            time.sleep(1000.0)


class Submission(Honest):
    def act(self) -> None:
        attempt(fork, "started 80 processes")
