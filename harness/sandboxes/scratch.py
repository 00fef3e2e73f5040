"""Private folders of one worker: its scratch, and the copy of its submission.

The referee holds a lock on each, so that folders left by a killed referee can be recognised; the
next trial on the machine removes them.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.locks import lock
from harness.core.removal import remove_tree
from harness.submission.files import Contents, write_copy

PREFIX = "guided-descent-scratch-"
COPY_PREFIX = "guided-descent-submission-"
YOUNG_S = 5.0
"""A folder younger than this may not be locked yet, and is not removed."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A new scratch folder; folders left by killed referees are removed."""
    with _held_folder(PREFIX) as folder:
        yield folder


@contextmanager
def submission_copy(contents: Contents) -> Iterator[Path]:
    """A read-only folder, readable by all, with exactly the submission's files.

    Its name does not reveal the author's path.
    """
    with _held_folder(COPY_PREFIX) as folder:
        folder.chmod(0o755)
        copy = folder / "submission"
        copy.mkdir()
        write_copy(contents, copy)
        yield copy


@contextmanager
def _held_folder(prefix: str) -> Iterator[Path]:
    _remove_left_over(Path(tempfile.gettempdir()), prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            lock(descriptor)
            yield folder
        finally:
            os.close(descriptor)
    finally:
        remove_tree(folder)


def _remove_left_over(folder: Path, prefix: str) -> None:
    for path in folder.glob(f"{prefix}*"):
        with suppress(OSError, HarnessError):
            if time.time() - path.lstat().st_mtime > YOUNG_S and not _is_held(path):
                remove_tree(path)


def _is_held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return not lock(descriptor, wait=False)
    finally:
        os.close(descriptor)
