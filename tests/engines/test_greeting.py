"""A server that is no Ray is told from one within seconds."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.execution.ray import greeting
from harness.execution.ray.greeting import PREFACE, SETTINGS, greet


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address_of(listener: socket.socket) -> str:
    return f"127.0.0.1:{listener.getsockname()[1]}"


def answer(listener: socket.socket, words: bytes) -> bytes:
    """Serve one connection; what it said first."""
    connection, _ = listener.accept()
    with connection:
        output = connection.recv(len(PREFACE), socket.MSG_WAITALL)
        connection.sendall(words)
    return output


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_another_server_is_not_taken_for_ray(listener: socket.socket, words: bytes) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(answer, listener, words)
        with pytest.raises(OSError, match="does not answer like Ray"):
            greet(address_of(listener))


def test_a_silent_server_is_not_waited_for(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greeting, "CONNECT_S", 0.05)
    with pytest.raises(OSError, match="does not answer like Ray"):
        greet(address_of(listener))


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_server_of_http_2_is_left_to_ray(listener: socket.socket, scheme: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        output = pool.submit(answer, listener, SETTINGS)
        greet(scheme + address_of(listener))
        assert output.result() == PREFACE


def test_an_address_without_a_port_is_left_to_ray() -> None:
    greet("auto")
