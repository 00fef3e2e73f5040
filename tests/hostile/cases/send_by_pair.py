"""Sends to a program of this machine by one of a pair of datagram sockets."""

import socket

from .facts import ELSEWHERE
from .honest import Honest, attempt


def send(kind: int) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, kind)
    with one, other:
        one.sendto(b"said", f"{ELSEWHERE}/ear")


class Submission(Honest):
    def act(self) -> None:
        attempt(lambda: send(socket.SOCK_DGRAM), "sent a datagram")
        attempt(lambda: send(socket.SOCK_RAW), "sent a datagram under another name")
