"""Overwrites the C library's clock in its own process with one that stands."""

from .honest import Honest
from .machine_code import STOPPED, address_of, overwrite


def attack() -> None:
    overwrite(address_of("clock_gettime"), STOPPED)


class Submission(Honest):
    def act(self) -> None:
        attack()
