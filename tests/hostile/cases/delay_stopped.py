"""Trains on between its snapshot and its word that it has stopped."""

import time

from harness.protocol.messages import Message, Stopped
from harness.protocol.wire import Tensors

from .honest import Honest
from .wires import Send, WorkerWire, send_instead


def act(send: Send, wire: WorkerWire, message: Message, tensors: Tensors) -> None:
    if isinstance(message, Stopped):
        time.sleep(0.5)
        print("stole 0.5 s", flush=True)
    send(message, tensors)


class Submission(Honest):
    def act(self) -> None:
        send_instead(act)
