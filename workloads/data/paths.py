"""Locations of downloaded datasets and of the cache of prepared instances."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_CACHE_DIR: ContextVar[Path | None] = ContextVar("cache_dir", default=None)


def default_data_dir() -> Path:
    """`$XDG_DATA_HOME/guided-descent`, or `~/.local/share/guided-descent`."""
    return _base("XDG_DATA_HOME", ".local/share") / "guided-descent"


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/guided-descent`, or `~/.cache/guided-descent`."""
    return _base("XDG_CACHE_HOME", ".cache") / "guided-descent"


@contextmanager
def caching_in(folder: Path) -> Iterator[None]:
    """Make a folder the cache of everything that a `with` block prepares.

    A workload's `prepare` is not told the cache, but what it decodes or tokenises for all instances
    belongs beside these: linking it into an instance needs one file system.
    """
    token = _CACHE_DIR.set(folder)
    try:
        yield
    finally:
        _CACHE_DIR.reset(token)


def current_cache_dir() -> Path:
    """The cache of the enclosing `caching_in`, or else `default_cache_dir()`, as absolute path."""
    return (_CACHE_DIR.get() or default_cache_dir()).absolute()


def _base(variable: str, fallback: str) -> Path:
    # The XDG base directory specification requires relative paths to be ignored.
    value = Path(os.environ.get(variable, ""))
    return value if value.is_absolute() else Path.home() / fallback
