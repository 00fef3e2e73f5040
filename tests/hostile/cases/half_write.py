"""Stops in the middle of a tensor, and goes on much later."""

import time

from harness.protocol.wire import Wire

from .honest import Honest

_send = Wire._send
_paused = []


def send(wire, view, deadline_s):
    half = len(view) // 2
    if half > 1000 and not _paused:
        _send(wire, view[:half], deadline_s)
        _paused.append(time.sleep(1.0))
        view = view[half:]
    _send(wire, view, deadline_s)


class Submission(Honest):
    def act(self):
        Wire._send = send
