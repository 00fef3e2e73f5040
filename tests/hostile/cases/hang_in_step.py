"""Hangs in a step."""

import time

from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        time.sleep(2.0)
