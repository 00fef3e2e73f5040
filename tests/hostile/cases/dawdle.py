"""Takes its time with each part of its last snapshot, and each time less than the patience."""

import time
from collections.abc import Callable

from harness.protocol.messages import Message, Snapshot, Stopped, ToWorkerMessage
from harness.protocol.wire import Tensors, Wire

from .honest import Honest
from .wires import Send, WorkerWire, send_instead

Receive = Callable[..., tuple[ToWorkerMessage, Tensors]]
PAUSE_S = 0.5
IS_LAST: list[object] = []


def act(send: Send, wire: WorkerWire, message: Message, tensors: Tensors) -> None:
    if IS_LAST and isinstance(message, (Snapshot, Stopped)):
        time.sleep(PAUSE_S)
    send(message, tensors)


def listen(receive: Receive) -> Receive:
    """Note when the referee says that the budget is spent."""

    def receive_and_mark(wire: WorkerWire, *rest: object) -> tuple[ToWorkerMessage, Tensors]:
        message, tensors = receive(wire, *rest)
        if getattr(message, "reason", "") == "budget":
            IS_LAST.append(message)
        return message, tensors

    return receive_and_mark


class Submission(Honest):
    def act(self) -> None:
        Wire.receive = listen(Wire.receive)  # type: ignore[method-assign, assignment]
        send_instead(act)
