"""Prints without end."""

from .honest import Honest, succeed


class Submission(Honest):
    def act(self) -> None:
        for _ in range(12):
            print("x" * 2**20)
        succeed("printed 12 MiB")
