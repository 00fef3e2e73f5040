"""Reads what other trials have left."""

import os
from pathlib import Path

from .honest import Honest, attempt


class Submission(Honest):
    def act(self):
        folder = Path(os.readlink("/proc/self/fd/1")).parent
        attempt(lambda: (folder / "trial.json").read_bytes(), "read a record")
