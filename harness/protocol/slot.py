"""Shared memory through which a worker submits snapshots without stopping.

    slot = one float32 array: the model's parameters, then its buffers, each flattened, in order

The referee creates it, passes its descriptor over the wire, and copies it when the worker announces
a snapshot. The worker can still write to it, after the announcement and during the copy. A copy
therefore gets its time only when it is complete: nothing in it can be newer than that.

The size is sealed. The referee reads with pread(2) and maps nothing: if the memory was truncated or
released, it gets fewer bytes or zeros instead of a signal.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import time
from collections.abc import Mapping
from math import prod
from select import POLLIN, poll

import numpy as np
import numpy.typing as npt

from harness.core.errors import CannotWriteError
from harness.protocol.wire import WireClosedError, WireError, WireTimeoutError

Shapes = Mapping[str, tuple[int, ...]]
Flat = npt.NDArray[np.float32]
SEALS = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
NUMBER_BYTES = 4


class Slot:
    """The referee's end.

    Args:
        shapes: of parameters and buffers, in the model's order.

    Raises:
        CannotWriteError: the machine has too little memory.
    """

    def __init__(self, shapes: Shapes) -> None:
        self._count = numbers_of(shapes)
        self._descriptor = os.memfd_create("slot", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        size = NUMBER_BYTES * self._count
        try:
            if size:
                os.posix_fallocate(self._descriptor, 0, size)
        except OSError as error:
            self.close()
            raise CannotWriteError(
                f"cannot write {size} bytes of shared memory: {error.strerror}",
                "free some space in memory, or let fewer trials run at once",
            ) from error
        seal(self._descriptor)

    def send(self, connection: socket.socket) -> None:
        """Pass it to the worker, whose next read takes it.

        Raises:
            WireClosedError: the worker is gone.
        """
        try:
            socket.send_fds(connection, [b"\0"], [self._descriptor])
        except (BrokenPipeError, ConnectionResetError) as error:
            raise WireClosedError("the peer is gone") from error

    def copy(self, into: Flat) -> Flat:
        """Copy the slot's content into memory that only this process can change.

        Args:
            into: that memory, an array of the slot's size.

        Raises:
            WireError: the worker has made the slot smaller.
        """
        view, read = into.view(np.uint8).data, 0
        while read < len(view):
            count = os.preadv(self._descriptor, [view[read:]], read)
            if count == 0:
                raise WireError(f"a slot of {read} bytes; the model has {len(view)}")
            read += count
        return into

    def close(self) -> None:
        """Release the memory; it is freed once the worker has released it too."""
        os.close(self._descriptor)


def seal(descriptor: int) -> None:
    """Seal the size of a slot."""
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)


def numbers_of(shapes: Shapes) -> int:
    """The number of floats in a snapshot."""
    return sum(prod(shape) for shape in shapes.values())


def split(flat: Flat, shapes: Shapes) -> dict[str, Flat]:
    """Views of one array by name, laid out one after the other."""
    arrays, start = dict[str, Flat](), 0
    for name, shape in shapes.items():
        end = start + prod(shape)
        arrays[name] = flat[start:end].reshape(shape)
        start = end
    return arrays


def own_slot(shapes: Shapes) -> Flat:
    """Memory like a slot that nobody reads, for a process whose snapshots are not sent."""
    return np.empty(numbers_of(shapes), dtype=np.float32)


def receive_slot(connection: socket.socket, shapes: Shapes, timeout_s: float) -> Flat:
    """The worker's end: the slot as one array, which the referee reads.

    Raises:
        WireError: none came in time, or one of another size.
    """
    descriptor = _receive_descriptor(connection, time.monotonic() + timeout_s)
    count = numbers_of(shapes)
    if os.fstat(descriptor).st_size != NUMBER_BYTES * count:
        raise WireError(f"a slot of {os.fstat(descriptor).st_size} bytes for {count} numbers")
    if not count:
        return np.empty(0, dtype=np.float32)
    memory = mmap.mmap(descriptor, NUMBER_BYTES * count)
    os.close(descriptor)
    return np.frombuffer(memory, dtype=np.float32)


def _receive_descriptor(connection: socket.socket, deadline_s: float) -> int:
    readable = poll()
    readable.register(connection, POLLIN)
    if not readable.poll(max(0.0, deadline_s - time.monotonic()) * 1000.0):
        raise WireTimeoutError("the peer passes no slot")
    data, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    if not data:
        raise WireClosedError("the peer is gone")
    if len(descriptors) != 1:
        raise WireError("a byte without a slot")
    return descriptors[0]
