"""Puts itself between its worker and the referee, and rewrites what the worker says of time."""

import json
import math
import os
import select
import socket
import stat
import struct
import threading
from pathlib import Path

import numpy as np

from harness.protocol.messages import Message, Stopped
from harness.protocol.wire import Tensors

from .honest import Honest
from .wires import Send, WorkerWire, send_instead

CLAIMED_S = 0.5


def own_wire() -> int:
    """The socket that this process has open."""
    files = (path for path in Path("/proc/self/fd").iterdir() if path.exists())
    return next(int(path.name) for path in files if stat.S_ISSOCK(path.stat().st_mode))


def interpose() -> None:
    """From now on whatever goes through the socket goes through threads of one's own."""
    near, inner = socket.socketpair()
    number = own_wire()
    real = socket.socket(fileno=os.dup(number))
    inner.setblocking(False)
    os.dup2(inner.fileno(), number)
    threading.Thread(target=bring, args=(real, near), daemon=True).start()
    threading.Thread(target=rewrite, args=(near, real), daemon=True).start()


def bring(real: socket.socket, near: socket.socket) -> None:
    while select.select([real], [], []) and (data := real.recv(2**16)):
        near.sendall(data)
    os._exit(0)  # the referee has hung up


def rewrite(near: socket.socket, real: socket.socket) -> None:
    def read(count: int) -> bytes:
        return near.recv(count, socket.MSG_WAITALL)

    while length := read(4):
        fields = json.loads(read(*struct.unpack(">I", length)))
        sizes = (math.prod(shape) * np.dtype(kind).itemsize for _, kind, shape in fields["tensors"])
        body = read(sum(sizes)) if fields["tensors"] else b""
        if fields["message"]["kind"] == "STOPPED":
            fields["message"]["snapshots_s"] = CLAIMED_S
            print("rewrote its seconds", flush=True)
        header = json.dumps(fields).encode()
        waiting = memoryview(struct.pack(">I", len(header)) + header + body)
        while waiting and select.select([], [real], []):
            waiting = waiting[real.send(waiting) :]


def say_so(send: Send, wire: WorkerWire, message: Message, tensors: Tensors) -> None:
    """The same without a socket of one's own."""
    if isinstance(message, Stopped):
        message = message.model_copy(update={"snapshots_s": CLAIMED_S})
        print("rewrote its seconds", flush=True)
    send(message, tensors)


class Submission(Honest):
    def act(self) -> None:
        try:
            interpose()
        except OSError as error:
            print(f"refused: {error}", flush=True)
            send_instead(say_so)
