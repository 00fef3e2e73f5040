"""Takes its time with each part of its last snapshot, and each time less than the patience."""

import time

from harness.protocol.messages import Snapshot, Stopped
from harness.protocol.wire import Wire

from .honest import Honest
from .wires import send_instead

PAUSE_S = 0.5
IS_LAST = []


def act(send, wire, message, tensors):
    if IS_LAST and isinstance(message, (Snapshot, Stopped)):
        time.sleep(PAUSE_S)
    send(message, tensors)


def listen(receive):
    """Note when the referee says that the budget is spent."""

    def replaced(wire, *rest):
        message, tensors = receive(wire, *rest)
        if getattr(message, "reason", "") == "budget":
            IS_LAST.append(message)
        return message, tensors

    return replaced


class Submission(Honest):
    def act(self):
        Wire.receive = listen(Wire.receive)
        send_instead(act)
