"""Checks quickly whether a Ray server listens at an address; Ray itself retries for minutes."""

from __future__ import annotations

import os
import socket

CONNECT_S = 5.0
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""An empty frame of HTTP/2: three bytes of length, its type, flags, four bytes of its stream."""
FRAME_TYPE = slice(3, 4)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS


def greet(address: str) -> None:
    """Exchange HTTP/2 prefaces with the server, if the address has a port.

    Ray's servers speak gRPC, which is HTTP/2 (RFC 9113): to the preface they answer with their
    settings. If Ray is configured for TLS, only the connection is tried.

    Args:
        address: HOST:PORT, also with `ray://` before it; any other is left to Ray.

    Raises:
        OSError: nothing listens there, or the server is silent or uses another protocol.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdecimal()):
        return
    with socket.create_connection((host.strip("[]"), int(port)), CONNECT_S) as connection:
        if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
            return
        connection.sendall(PREFACE)
        if _frame_head(connection)[FRAME_TYPE] != SETTINGS[FRAME_TYPE]:
            raise OSError("whatever listens there does not answer like Ray")


def _frame_head(connection: socket.socket) -> bytes:
    """The first bytes of an answer; fewer if it breaks off or does not come in time."""
    with connection.makefile("rb") as answer:
        try:
            return answer.read(len(SETTINGS))
        except (TimeoutError, ConnectionResetError):
            return b""
