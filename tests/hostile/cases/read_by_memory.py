"""Reads the memory of its parent, which the referee's would be read like."""

import os
from pathlib import Path

from .honest import Honest, attempt


def read() -> None:
    places = Path(f"/proc/{os.getppid()}/maps").read_text().splitlines()
    line = next((line for line in places if "[heap]" in line), "0-")
    with Path(f"/proc/{os.getppid()}/mem").open("rb") as memory:
        memory.seek(int(line.partition("-")[0], 16))
        memory.read(64)


class Submission(Honest):
    def act(self) -> None:
        attempt(read, "read another process's memory")
