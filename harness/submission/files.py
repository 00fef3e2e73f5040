"""The files of a submission: exactly these are counted, hashed and run.

An author's folder is read into memory once. Both hashes are computed from what was read, and a
worker runs a copy written from it. So the worker never sees other files, links or attributes of the
author's folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from harness.core.errors import HarnessError

CONTENT_LIMIT_BYTES = 256 * 1024
HIDDEN_FILES = ".*"
CACHE = "__pycache__"
Contents = Mapping[str, bytes]
"""The bytes of each file, by its path below the submission's folder."""
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class TooLargeError(HarnessError):
    """A submission is larger than the limit."""


def read_folder(folder: Path, left_out: Sequence[str] = ()) -> Contents:
    """Read all regular files in a folder, except hidden files and caches.

    Args:
        folder: the submission's folder.
        left_out: name patterns of further files and folders to skip.

    Raises:
        HarnessError: the folder has anything else, such as a link, or is larger than the limit.
    """
    return read_files(folder, _walk(folder, (HIDDEN_FILES, CACHE, *left_out)))


def read_files(root: Path, files: Iterable[Path]) -> Contents:
    """Read files by their paths relative to a root; names count towards the size.

    Raises:
        HarnessError: one is not a regular file or cannot be read, or together they are too large.
    """
    contents: dict[str, bytes] = {}
    size = 0
    for file in files:
        name = file.relative_to(root).as_posix()
        size += len(os.fsencode(name))
        content = _read(file, CONTENT_LIMIT_BYTES - size)
        size += len(content)
        contents[name] = content
    check_size(root, size)
    return contents


def content_size(contents: Contents) -> int:
    """The bytes of files and of their names."""
    return sum(len(os.fsencode(name)) + len(content) for name, content in contents.items())


def check_size(root: Path, size: int) -> None:
    """Check that a submission is not too large.

    Raises:
        TooLargeError: it is.
    """
    if size > CONTENT_LIMIT_BYTES:
        raise TooLargeError(
            f"the submission in {root} has more than {CONTENT_LIMIT_BYTES} bytes of files",
            f"code and text of at most {CONTENT_LIMIT_BYTES} bytes are allowed, the files' names "
            "included; hidden files and __pycache__ do not count and are not there when it runs",
        )


def write_copy(contents: Contents, folder: Path) -> None:
    """Write a submission's files into an empty folder, read-only and with one modification time."""
    for name, content in contents.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o444)
        os.utime(file, (0, 0))
    for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        inner.chmod(0o555)
        os.utime(inner, (0, 0))


def _walk(folder: Path, left_out: Sequence[str]) -> Iterator[Path]:
    """The files below a folder in the order of their names, without recursion."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        for path in sorted(here.iterdir()):
            if any(fnmatchcase(path.name, pattern) for pattern in left_out):
                continue
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                waiting.append(path)
                continue
            if not stat.S_ISREG(mode):
                raise _kind_error(path, mode)
            yield path


def _kind_error(path: Path, mode: int) -> HarnessError:
    kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
    where = f" to {path.readlink()}" if stat.S_ISLNK(mode) else ""
    return HarnessError(
        f"{path} is {kind}{where}; a submission may contain only regular files",
        "only these are counted and hashed: copy what is needed into the folder, or leave it out",
    )


def _read(path: Path, most: int) -> bytes:
    """The first `most + 1` bytes of a regular file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise _kind_error(path, path.lstat().st_mode) from error
        raise HarnessError(f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise _kind_error(path, mode)
        return file.read(max(0, most) + 1)
