"""Locations of downloaded datasets and of the cache of prepared instances."""

from __future__ import annotations

import os
from pathlib import Path


def default_data_dir() -> Path:
    """`$XDG_DATA_HOME/guided-descent`, or `~/.local/share/guided-descent`."""
    return _base("XDG_DATA_HOME", ".local/share") / "guided-descent"


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/guided-descent`, or `~/.cache/guided-descent`."""
    return _base("XDG_CACHE_HOME", ".cache") / "guided-descent"


def _base(variable: str, fallback: str) -> Path:
    # The XDG base directory specification requires relative paths to be ignored.
    value = Path(os.environ.get(variable, ""))
    return value if value.is_absolute() else Path.home() / fallback
