"""Trains on without the snapshots that it is asked for in passing."""

from harness.protocol.messages import Glanced, Message
from harness.protocol.wire import Tensors

from .honest import Honest
from .wires import Send, WorkerWire, send_instead


def act(send: Send, wire: WorkerWire, message: Message, tensors: Tensors) -> None:
    if not isinstance(message, Glanced):
        send(message, tensors)


class Submission(Honest):
    def act(self) -> None:
        send_instead(act)
