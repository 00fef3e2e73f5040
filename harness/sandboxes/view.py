"""The folder in which a worker finds its training data: empty until the referee shows them.

The worker learns only this folder's path, and not that of the instance or of other folders beside
it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.core.removal import remove_tree

LEFT_OVER_S = 7 * 24 * 3600.0


@contextmanager
def empty_view(data: Path) -> Iterator[Path]:
    """A temporary folder on the file system of an instance.

    Args:
        data: the instance's folder in the cache.
    """
    folder = _folder_beside(data)
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        remove_tree(folder)


def show(split: Path, view: Path) -> None:
    """Make a split's files appear in a view, as hard links if the file system allows it."""
    for file in sorted(split.iterdir()):
        try:
            os.link(file, view / file.name)
        except OSError:
            # another file system, or a cache that belongs to someone else
            shutil.copyfile(file, view / file.name)


def _remove_left_over(views: Path) -> None:
    """Remove views that are older than any trial takes, which were left by killed referees."""
    for view in views.iterdir():
        with suppress(FileNotFoundError):  # another trial has just removed its own
            if time.time() - view.stat().st_mtime > LEFT_OVER_S:
                remove_tree(view)


def _folder_beside(data: Path) -> Path:
    views = data.parents[1] / "views"
    try:
        views.mkdir(exist_ok=True)
        _remove_left_over(views)
        return Path(tempfile.mkdtemp(dir=views))
    except OSError:
        # a cache that can only be read
        return Path(tempfile.mkdtemp(prefix="guided-descent-view-"))
