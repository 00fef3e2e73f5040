"""Files: atomic writes, complete and flushed to the disk or not at all; names beside a folder."""

from __future__ import annotations

import os
from pathlib import Path

from harness.core.errors import CannotWriteError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file and its folders; what was there before stays if that fails.

    Raises:
        CannotWriteError: it cannot be written.
    """
    content = content.encode("utf-8") if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # a pipe or a device, of which there is no draft
            path.write_bytes(content)
        else:
            _replace(Path(os.path.realpath(path)), content)  # not a link, but what it leads to
    except OSError as error:
        hint = "free some space, or name a place that can be written; what was there is unchanged"
        raise CannotWriteError.of(path, error, hint) from error


def write_through(file: int | Path, content: bytes) -> None:
    """Write a new file and flush it to the disk.

    Args:
        file: its path, or its open descriptor, which is then closed.
        content: all of its bytes.

    Raises:
        OSError: it cannot be written.
    """
    with os.fdopen(file, "wb") if isinstance(file, int) else file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _replace(place: Path, content: bytes) -> None:
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        write_through(draft, content)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def path_beside(folder: Path, ending: str) -> Path:
    """A path beside a folder, with its name and an ending; `.` and `..` have the names of what they
    stand for.
    """
    named = folder if folder.name not in ("", "..") else folder.resolve()
    return named.with_name(f"{named.name}{ending}")
