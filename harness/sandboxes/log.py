"""A worker's log under a name that tells nothing.

/proc shows a process the path by which each of its files was opened, and the folder of a trial
names workload, submission, study and trial. The log therefore has a second name while the worker
runs.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from harness.core.errors import HarnessError


def open_log(log: Path) -> BinaryIO:
    """A log, to which a worker's output is appended.

    Raises:
        HarnessError: it cannot be written.
    """
    try:
        return log.open("ab")
    except OSError as error:
        raise HarnessError(
            f"cannot write {log}: {error}", "make it writable and run the same command again"
        ) from error


@contextmanager
def neutral_name(log: Path, place: Path) -> Iterator[Path]:
    """A name by which a log can be opened; gone afterwards, the log stays.

    Args:
        log: made if it is not there.
        place: a folder of the same file system, whose path may be known.
    """
    name = place / f".{secrets.token_hex(8)}.log"
    try:
        log.touch()
        os.link(log, name)
    except OSError:  # a file system without links; whoever opens the log says if that fails, too
        yield log
        return
    try:
        yield name
    finally:
        name.unlink(missing_ok=True)
