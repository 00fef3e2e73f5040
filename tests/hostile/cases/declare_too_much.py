"""Announces a tensor that would fill the referee's memory."""

from .honest import Honest
from .wires import snapshots_are_framed


def header(message):
    return {"message": message.model_dump(), "tensors": [["much", "float32", [2**39]]]}


class Submission(Honest):
    def act(self):
        snapshots_are_framed(header)
