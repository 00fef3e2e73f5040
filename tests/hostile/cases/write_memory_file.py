"""Overwrites read-only code through the file of its own memory, which asks for no permission."""

from pathlib import Path

from .honest import Honest
from .machine_code import STOPPED, address_of


def attack() -> None:
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(address_of("clock_gettime"))
        memory.write(STOPPED)


class Submission(Honest):
    def act(self) -> None:
        try:
            attack()
        except OSError as error:
            print(f"refused: {error}", flush=True)
