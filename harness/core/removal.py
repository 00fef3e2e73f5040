"""Removes a folder that a hostile process has filled, however deep and whatever permissions."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _Level(NamedTuple):
    """A folder on the way down."""

    name: str
    """Its name in the folder above it."""
    identity: tuple[int, int]
    """Device and inode, to recognise it on the way up."""
    below: list[str]
    """The folders in it that are still to be removed."""


def remove_tree(folder: Path) -> None:
    """Remove a folder and its content; follows no links, and leaves what the kernel refuses.

    `shutil.rmtree` recurses once a level and so fails on a deep tree. Here the way back up is `..`,
    so that only one descriptor is open at a time; if a folder is moved meanwhile, the removal ends
    instead of continuing elsewhere.
    """
    with suppress(OSError):
        _empty(folder)
        folder.rmdir()


def _empty(folder: Path) -> None:
    here = _open_folder(os.fspath(folder), None)
    try:
        levels = [_Level("", _identity(here), _folders_of(here))]
        while True:
            level = levels[-1]
            if level.below:
                name = level.below.pop()
                with suppress(OSError):
                    here = _swap(here, _open_folder(name, here))
                    levels.append(_Level(name, _identity(here), _folders_of(here)))
            elif len(levels) == 1:
                return
            else:
                levels.pop()
                here = _swap(here, _parent_of(here, levels[-1]))
                with suppress(OSError):
                    os.rmdir(level.name, dir_fd=here)
    finally:
        os.close(here)


def _swap(old: int, new: int) -> int:
    os.close(old)
    return new


def _parent_of(folder: int, level: _Level) -> int:
    parent = os.open("..", os.O_RDONLY | _FOLDER, dir_fd=folder)
    if _identity(parent) != level.identity:
        os.close(parent)
        raise OSError("a folder was moved while it was being removed")
    return parent


def _identity(folder: int) -> tuple[int, int]:
    status = os.fstat(folder)
    return status.st_dev, status.st_ino


def _folders_of(folder: int) -> list[str]:
    """Remove a folder's files and links, and list its folders."""
    with os.scandir(folder) as entries:
        items = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in items:
        if not is_folder:
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)
    return [name for name, is_folder in items if is_folder]


def _open_folder(name: str, parent: int | None) -> int:
    """Open a folder, after restoring its owner's permissions; follows no link."""
    place = os.open(name, _FOLDER | os.O_PATH, dir_fd=parent)
    try:
        own = Path(f"/proc/self/fd/{place}")
        if stat.S_IMODE(os.fstat(place).st_mode) & stat.S_IRWXU != stat.S_IRWXU:
            with suppress(OSError):
                own.chmod(stat.S_IRWXU)
        return os.open(own, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(place)
