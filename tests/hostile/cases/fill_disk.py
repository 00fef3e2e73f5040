"""Writes more than its scratch may hold."""

from pathlib import Path

from .honest import Honest, attempt


def fill() -> None:
    for number in range(12):
        Path(f"file-{number}").write_bytes(bytes(2 * 2**20))


class Submission(Honest):
    def act(self) -> None:
        attempt(fill, "wrote 24 MiB")
