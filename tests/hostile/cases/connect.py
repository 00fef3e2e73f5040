"""Opens a connection, as a download would."""

import socket

from .facts import PORT
from .honest import Honest, attempt


class Submission(Honest):
    def act(self) -> None:
        attempt(lambda: socket.create_connection(("127.0.0.1", PORT), 1.0), "connected")
