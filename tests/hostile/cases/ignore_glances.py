"""Trains on without the snapshots that it is asked for in passing."""

from typing import Any

from harness.protocol.messages import Glanced, Message
from harness.protocol.wire import Tensors, Wire

from .honest import Honest
from .wires import Send, send_instead


def act(send: Send, wire: Wire[Any], message: Message, tensors: Tensors) -> None:
    if not isinstance(message, Glanced):
        send(message, tensors)


class Submission(Honest):
    def act(self) -> None:
        send_instead(act)
