"""Announces a tensor that would fill the referee's memory."""

from harness.protocol.messages import Snapshot

from .honest import Honest
from .wires import snapshots_are_framed


def header(message: Snapshot) -> object:
    return {"message": message.model_dump(), "tensors": [["much", "float32", [2**39]]]}


class Submission(Honest):
    def act(self) -> None:
        snapshots_are_framed(header)
