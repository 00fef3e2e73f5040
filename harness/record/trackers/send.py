"""Sends one ended trial to one tracker: `python -m harness.record.trackers.send NAME FOLDER`.

It runs in a process of its own, because a tracker may start threads and servers, wait for a
network, or exit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.providers.table import TRACKERS
from harness.record.trackers.base import Tracker
from harness.record.trackers.tracked_run import tracked_run


def main(name: str, folder: Path) -> None:
    """Send the trial of a folder; an error is the last line on standard error."""
    try:
        send: Tracker = TRACKERS.load(name)
        send(tracked_run(folder))
    except Exception as error:  # a tracker's own, of whatever kind
        text = " ".join(str(error).split())
        sys.exit(f"{type(error).__name__}: {text}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
