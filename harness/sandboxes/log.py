"""Opens a worker's log under a neutral name.

/proc shows a process the paths of its open files, and a trial's folder name contains workload,
submission, study and trial. The log therefore has a second name while the worker runs.
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
    """Open a log for appending a worker's output.

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
    """A temporary hard link to a log, under which a worker opens it.

    Args:
        log: the log, created if it does not exist.
        place: a folder on the same file system whose path the worker may see.
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
