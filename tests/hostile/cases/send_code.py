"""Hands over a checkpoint that executes code when it is unpickled."""

import pickle

from .honest import Honest
from .wires import snapshots_are_framed


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("import sys; sys.was_pickled_code_run = True",)


PAYLOAD = pickle.dumps(Code(), protocol=0)


class Submission(Honest):
    def act(self) -> None:
        snapshots_are_framed(lambda message: PAYLOAD)
