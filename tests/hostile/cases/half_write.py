"""Stops in the middle of a tensor, and goes on much later."""

import time

from harness.protocol.wire import Wire

from .honest import Honest
from .wires import WorkerWire

_send = Wire._send
_paused: list[bool] = []


def send(wire: WorkerWire, view: memoryview, deadline_s: float | None) -> None:
    half = len(view) // 2
    if half > 1000 and not _paused:
        _send(wire, view[:half], deadline_s)
        time.sleep(1.0)
        _paused.append(True)
        view = view[half:]
    _send(wire, view, deadline_s)


class Submission(Honest):
    def act(self) -> None:
        Wire._send = send  # type: ignore[method-assign, assignment]
