"""For cases that send what they like: the worker's wire, taken over in its own process."""

import json
import struct
from collections.abc import Callable

from harness.protocol.messages import Message, Snapshot, ToWorkerMessage
from harness.protocol.wire import Tensors, Wire

Send = Callable[[Message, Tensors], None]
WorkerWire = Wire[ToWorkerMessage]
Act = Callable[[Send, WorkerWire, Message, Tensors], None]


def send_instead(act: Act) -> None:
    """From now on `act(send, wire, message, tensors)` stands in the place of the wire's `send`."""
    send = Wire.send

    def send_and_act(
        wire: WorkerWire,
        message: Message,
        tensors: Tensors | None = None,
        timeout_s: float | None = None,
    ) -> None:
        act(lambda *what: send(wire, *what), wire, message, tensors or {})

    Wire.send = send_and_act  # type: ignore[method-assign, assignment]


def snapshots_become(change: Callable[[Tensors], Tensors]) -> None:
    """Change the tensors of every snapshot."""

    def act(send: Send, wire: WorkerWire, message: Message, tensors: Tensors) -> None:
        send(message, change(dict(tensors)) if isinstance(message, Snapshot) else tensors)

    send_instead(act)


def snapshots_are_framed(header_of: Callable[[Snapshot], object], body: bytes = b"") -> None:
    """Send a header of one's own making in the place of a snapshot."""

    def act(send: Send, wire: WorkerWire, message: Message, tensors: Tensors) -> None:
        if isinstance(message, Snapshot):
            header = header_of(message)
            text = header if isinstance(header, bytes) else json.dumps(header).encode()
            wire._socket.setblocking(True)
            wire._socket.sendall(struct.pack(">I", len(text)) + text + body)
        else:
            send(message, tensors)

    send_instead(act)
