"""Stops the clocks of its process."""

import time

from .honest import Honest


def attack() -> None:
    time.monotonic = time.perf_counter = time.time = lambda: 0.0


class Submission(Honest):
    def act(self) -> None:
        attack()
