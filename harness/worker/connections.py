"""Records a submission's attempted network connections with an audit hook; not used in trials."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

MOST = 5
EVENTS = ("socket.connect", "socket.sendto", "socket.getaddrinfo")
"""The audit events of programs that contact another machine; libraries also create unused sockets.
"""


class ConnectionLog:
    """Records each connection with the line of the submission that attempted it.

    A hook cannot be removed and costs a call per event, so it is only used in untimed workers.

    Args:
        folder: of the submission; empty if it is installed.
    """

    def __init__(self, folder: str) -> None:
        self._folder = f"{folder}/"
        self.attempts: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: Sequence[object]) -> None:
        if event not in EVENTS or len(self.attempts) >= MOST:
            return
        address = arguments[:2] if event == "socket.getaddrinfo" else arguments[1]
        if isinstance(address, tuple):  # of another machine: those of this one are paths
            text = f"{':'.join(str(part) for part in address[:2])}{self._line()}"
            if text not in self.attempts:
                self.attempts.append(text)

    def _line(self) -> str:
        frames = [f for f in traceback.extract_stack() if f.filename.startswith(self._folder)]
        if not frames:
            return ""
        return f" ({frames[-1].filename.removeprefix(self._folder)}:{frames[-1].lineno})"
