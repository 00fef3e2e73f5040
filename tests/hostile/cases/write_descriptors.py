"""Writes a line of its own into every file that its process has open and that looks like a log."""

import os
from pathlib import Path

from .honest import Honest, succeed

LINE = b'{"kind": "end", "data": {"state": "reached", "time_to_target_s": 0.1}}\n'


def attack() -> int:
    """How many files it has written into."""
    written = 0
    for file in Path("/proc/self/fd").iterdir():
        try:
            if file.is_file() and file.read_bytes()[:1] == b"{":
                written += os.write(int(file.name), LINE) == len(LINE)
        except OSError:
            continue
    return written


class Submission(Honest):
    def act(self) -> None:
        if count := attack():
            succeed(f"{count} logs were open in this process")
