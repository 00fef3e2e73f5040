"""Takes every core of the machine, in the place of those that it was pinned to."""

import os

from .honest import Honest, attempt


class Submission(Honest):
    def act(self) -> None:
        pinned = len(os.sched_getaffinity(0))
        attempt(lambda: os.sched_setaffinity(0, range(os.cpu_count() or 1)), "runs on every core")
        print(f"from {pinned} cores to {len(os.sched_getaffinity(0))}")
