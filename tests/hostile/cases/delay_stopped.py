"""Trains on between its snapshot and its word that it has stopped."""

import time

from harness.protocol.messages import Stopped

from .honest import Honest
from .wires import send_instead


def act(send, wire, message, tensors):
    if isinstance(message, Stopped):
        time.sleep(0.5)
        print("stole 0.5 s", flush=True)
    send(message, tensors)


class Submission(Honest):
    def act(self):
        send_instead(act)
