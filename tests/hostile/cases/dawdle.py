"""Takes its time with each part of its last snapshot, and each time less than the patience."""

import time

from harness.messages import Snapshot, Stopped

from .honest import Honest
from .wires import send_instead

PAUSE_S, BUDGET_S = 0.25, 1.5
GO = []


def act(send, wire, message, tensors):
    if isinstance(message, (Snapshot, Stopped)) and time.monotonic() - GO[0] > BUDGET_S - 0.1:
        time.sleep(PAUSE_S)
    send(message, tensors)


class Submission(Honest):
    def act(self):
        GO.append(time.monotonic())
        send_instead(act)
