"""Asks whether it may end the referee."""

import os

from .facts import REFEREE
from .honest import Honest, attempt


class Submission(Honest):
    def act(self) -> None:
        attempt(lambda: os.kill(REFEREE, 0), "may signal the referee")
