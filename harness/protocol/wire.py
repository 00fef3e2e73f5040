"""Length-prefixed frames over a stream socket: a JSON header, then raw tensors.

    frame   = header length (4 bytes, big-endian), header (UTF-8 JSON), tensors
    header  = {"message": {...}, "tensors": [[name, dtype, shape], ...]}
    tensors = little-endian C-contiguous bytes, in the header's order, without padding

Pickles and shared objects are never transferred. A reader allocates only what the header declares,
within its limits, so a hostile peer cannot make it use more.
"""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from harness.protocol.messages import Message

Tensors = Mapping[str, npt.NDArray[Any]]
M = TypeVar("M")

MAX_HEADER_BYTES = 8 * 2**20
DTYPES = {"float32", "float64", "int64", "int32", "uint8", "bool", "uint64", "uint32"}
STATE_PREFIX = "state/"
"""The prefix of the names of a checkpoint's tensors; names of parameters have no slash."""
_LENGTH = struct.Struct(">I")


class WireError(Exception):
    """The peer violated the protocol."""


class WireClosedError(WireError):
    """The peer is gone."""


class WireTimeoutError(WireError):
    """The peer did not finish a frame in time."""


class Wire(Generic[M]):
    """One end of the connection.

    Args:
        connection: a connected stream socket; it becomes non-blocking.
        incoming: the pydantic adapter of the messages that this end accepts.
        max_tensor_bytes: the largest sum of tensor sizes that this end accepts in one frame.
    """

    def __init__(
        self, connection: socket.socket, incoming: TypeAdapter[M], max_tensor_bytes: int = 2**34
    ) -> None:
        self._socket = connection
        self._socket.setblocking(False)
        self._incoming = incoming
        self._max_tensor_bytes = max_tensor_bytes
        self._readable = select.poll()
        self._readable.register(connection, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(connection, select.POLLOUT)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Whether something can be read, after waiting at most this long."""
        return bool(self._readable.poll(max(0.0, timeout_s) * 1000.0))

    def send(
        self, message: Message, tensors: Tensors | None = None, timeout_s: float | None = None
    ) -> None:
        """Send one frame.

        Raises:
            WireClosedError: the peer is gone.
            WireTimeoutError: the peer did not read the frame in time.
        """
        arrays = {name: np.ascontiguousarray(array) for name, array in (tensors or {}).items()}
        layout = [[name, str(array.dtype), list(array.shape)] for name, array in arrays.items()]
        text = json.dumps({"message": message.model_dump(mode="json"), "tensors": layout})
        header = text.encode()
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        self._send(memoryview(_LENGTH.pack(len(header)) + header), deadline_s)
        for array in arrays.values():
            if array.nbytes:
                self._send(array.reshape(-1).view(np.uint8).data, deadline_s)

    def receive(self, timeout_s: float | None = None) -> tuple[M, dict[str, npt.NDArray[Any]]]:
        """Wait for one frame and return its message and tensors.

        Raises:
            WireClosedError: the peer is gone.
            WireTimeoutError: no whole frame came in time.
            WireError: the frame breaks the format or its message is not allowed.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline_s))
        if length > MAX_HEADER_BYTES:
            raise WireError(f"a header of {length} bytes; at most {MAX_HEADER_BYTES} are allowed")
        message, layout = self._parse(self._read(length, deadline_s))
        tensors = {}
        for name, dtype, shape in layout:
            array = np.empty(shape, dtype=dtype)
            if array.nbytes:
                self._read_into(array.reshape(-1).view(np.uint8).data, deadline_s)
            tensors[name] = array
        return message, tensors

    def _parse(self, header: bytearray) -> tuple[M, list[tuple[str, str, tuple[int, ...]]]]:
        try:
            fields = json.loads(header.decode())
            message = self._incoming.validate_python(fields["message"])
            layout = [_layout_entry(entry) for entry in fields["tensors"]]
        except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
            raise WireError(f"not a message: {str(error)[:500]}") from error
        if len({name for name, _, _ in layout}) != len(layout):
            raise WireError("two tensors of one name")
        total = sum(math.prod(shape) * np.dtype(dtype).itemsize for _, dtype, shape in layout)
        if total > self._max_tensor_bytes:
            raise WireError(f"{total} bytes of tensors; at most {self._max_tensor_bytes} expected")
        return message, layout

    def _send(self, view: memoryview, deadline_s: float | None) -> None:
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                _wait(self._writable, deadline_s, "the peer does not read")
            except (BrokenPipeError, ConnectionResetError) as error:
                raise WireClosedError("the peer is gone") from error

    def _read(self, count: int, deadline_s: float | None) -> bytearray:
        data = bytearray(count)
        self._read_into(memoryview(data), deadline_s)
        return data

    def _read_into(self, view: memoryview, deadline_s: float | None) -> None:
        while view:
            try:
                count = self._socket.recv_into(view)
            except BlockingIOError:
                _wait(self._readable, deadline_s, "the peer does not speak")
                continue
            except ConnectionResetError as error:
                raise WireClosedError("the peer is gone") from error
            if count == 0:
                raise WireClosedError("the peer is gone")
            view = view[count:]


def _layout_entry(entry: Sequence[Any]) -> tuple[str, str, tuple[int, ...]]:
    name, dtype, shape = entry
    if not isinstance(name, str) or not 0 < len(name) <= 300 or dtype not in DTYPES:
        raise ValueError(f"tensor {str(name)[:50]!r} of dtype {str(dtype)[:20]!r}")
    if not isinstance(shape, list) or len(shape) > 8:
        raise ValueError(f"shape {str(shape)[:50]}")
    if any(type(size) is not int or not 0 <= size < 2**40 for size in shape):
        raise ValueError(f"shape {str(shape)[:50]}")
    if math.prod(size for size in shape if size) >= 2**40:
        raise ValueError(f"shape {str(shape)[:50]}")
    return name, dtype, tuple(shape)


def _wait(poll: select.poll, deadline_s: float | None, complaint: str) -> None:
    timeout_ms = None if deadline_s is None else (deadline_s - time.monotonic()) * 1000.0
    if timeout_ms is not None and timeout_ms <= 0.0:
        raise WireTimeoutError(complaint)
    poll.poll(timeout_ms)
