"""The connection between the referee and the first process of a worker's container.

A socket in a folder of its own, mounted at `inside.LINE` in the container. The referee checks, with
the credentials from the kernel, that the first process to connect is the container's first process;
after that no other can connect.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.sandboxes.docker.inside import HANDLE

LONGEST_LINE = 2**20
_POLL_S = 0.05
_PEER = struct.Struct("3i")


class Line:
    """The referee's end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="guided-descent-line-"))
        self.folder.chmod(0o755)
        self._server = socket.socket(socket.AF_UNIX)
        _bind(self._server, self.folder, "line")
        (self.folder / "line").chmod(0o666)
        self._server.listen(1)
        self._peer: socket.socket | None = None
        self._buffer = b""

    def accept(self, pid: int, is_running: Callable[[], bool], timeout_s: float) -> None:
        """Wait for the container's first process.

        Args:
            pid: its process id.
            is_running: whether it may still connect.
            timeout_s: how long to wait.

        Raises:
            ConnectionError: it ended, or another process connected.
            TimeoutError: it did not connect in time.
        """
        deadline_s = time.monotonic() + timeout_s
        self._server.settimeout(_POLL_S)
        while self._peer is None:
            try:
                self._peer, _ = self._server.accept()
            except TimeoutError:
                if not is_running():
                    raise ConnectionError("it ended before it connected") from None
                if time.monotonic() > deadline_s:
                    raise
        self._server.close()
        shutil.rmtree(self.folder)
        credentials = self._peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        if _PEER.unpack(credentials)[0] != pid:
            raise ConnectionError("another process has connected in its place")

    def send(self, order: dict[str, object], descriptors: list[int]) -> None:
        """Send the worker's order and its descriptors."""
        socket.send_fds(self._connection, [json.dumps(order).encode()], descriptors)

    def receive(self, timeout_s: float) -> dict[str, Any] | None:
        """The next message; None if the other end is gone.

        Raises:
            TimeoutError: nothing came in time.
            HarnessError: it is not JSON, or too long.
        """
        deadline_s = time.monotonic() + timeout_s
        while b"\n" not in self._buffer:
            self._connection.settimeout(max(deadline_s - time.monotonic(), 0.001))
            try:
                part = self._connection.recv(65536)
            except ConnectionResetError:
                part = b""
            if not part:
                return None
            self._buffer += part
            if len(self._buffer) > LONGEST_LINE:
                raise HarnessError("the container's first process prints too much")
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            return dict(json.loads(line))
        except ValueError as error:
            raise HarnessError("the container's first process printed what is not JSON") from error

    def receive_handle(self, timeout_s: float) -> int:
        """Receive the descriptor of the worker process that was forked for an order.

        Raises:
            TimeoutError: it did not come in time.
            ConnectionError: the other end is gone.
        """
        self._connection.settimeout(timeout_s)
        _, descriptors, _, _ = socket.recv_fds(self._connection, len(HANDLE), 1)
        if not descriptors:
            raise ConnectionError("it ended before there was a worker")
        return descriptors[0]

    def close(self) -> None:
        """Close the line; safe to call twice."""
        self._server.close()
        if self._peer is not None:
            self._peer.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _connection(self) -> socket.socket:
        if self._peer is None:
            raise ConnectionError("nobody has connected")
        return self._peer


def _bind(server: socket.socket, folder: Path, name: str) -> None:
    """Bind a socket in a folder whose path may be longer than a socket address (107 bytes)."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        server.bind(f"/proc/self/fd/{handle}/{name}")
    finally:
        os.close(handle)
