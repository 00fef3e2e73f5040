"""Makes folders within folders, more than Python calls within calls."""

import os
from pathlib import Path

from .honest import Honest

DEPTH = 3000


class Submission(Honest):
    def act(self) -> None:
        for _ in range(DEPTH):
            Path("d").mkdir()
            os.chdir("d")
