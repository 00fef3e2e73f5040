"""Looks beside itself for what was not counted: a hidden file, and a cache."""

from pathlib import Path

from .honest import Honest, succeed

UNCOUNTED = (".w/weights.bin", "__pycache__/weights.cpython-311.pyc")


class Submission(Honest):
    def act(self) -> None:
        for name in UNCOUNTED:
            if (Path(__file__).parent / name).exists():
                succeed(f"found {name}")
