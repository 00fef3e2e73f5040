"""What tells that a source has changed, without reading it: sizes and times of modification."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from harness.core.canonical import sha256_json

Stamp = tuple[str, int | str, int]


def stamps(files: Iterable[Path]) -> list[Stamp]:
    """Of each file path, size and time; of a folder, in the size's place, a hash of its entries'.

    A folder's own time stays when a file in it is overwritten, so each of its files is looked at:
    about 5 s for the 1.3 million of ImageNet, once they are in the system's memory.
    """
    return [_stamp(file) for file in files]


def _stamp(file: Path) -> Stamp:
    seen = file.stat()
    size = _entries(file) if file.is_dir() else seen.st_size
    return str(file.resolve()), size, seen.st_mtime_ns


def _entries(folder: Path) -> str:
    with os.scandir(folder) as entries:
        seen = ((entry.name, entry.stat()) for entry in entries)
        return sha256_json(sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in seen))
