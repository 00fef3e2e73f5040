"""Reads what other trials have left."""

from pathlib import Path

from .honest import Honest, attempt


class Submission(Honest):
    def act(self) -> None:
        folder = Path("/proc/self/fd/1").readlink().parent
        attempt((folder / "trial.json").read_bytes, "read a record")
