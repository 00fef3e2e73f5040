"""The manifest of a prepared instance: what a whole one holds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from harness.core.canonical import canonical_json

MANIFEST = "manifest.json"
HASHED_BYTES = 10**9
"""A folder of at most so many bytes is hashed whenever it is used: a second or two at the most."""


def write_manifest(folder: Path) -> None:
    """Write size and SHA-256 of every file below a folder into its manifest, last of all."""
    files = {
        file.relative_to(folder).as_posix(): {
            "bytes": file.stat().st_size,
            "sha256": _sha256(file),
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    (folder / MANIFEST).write_text(canonical_json({"files": files}), encoding="utf-8")


def is_intact(folder: Path) -> bool:
    """Whether it `is_whole` and, up to HASHED_BYTES in all, `has_its_hashes`.

    A larger one, such as decoded ImageNet, is judged by its sizes alone.
    """
    total = sum(int(entry["bytes"]) for entry in (_read(folder) or {}).values())
    try:
        return is_whole(folder) and (total > HASHED_BYTES or has_its_hashes(folder))
    except OSError:
        # A file that cannot be read is none; whoever makes it again learns why.
        return False


def is_whole(folder: Path) -> bool:
    """Whether a manifest is there and every file has the size it names; reads no data."""
    files = _read(folder)
    return files is not None and all(
        (folder / name).is_file() and (folder / name).stat().st_size == entry["bytes"]
        for name, entry in files.items()
    )


def has_its_hashes(folder: Path) -> bool:
    """Whether every file is the one that was written; reads all data."""
    files = _read(folder)
    return files is not None and all(
        (folder / name).is_file() and _sha256(folder / name) == entry["sha256"]
        for name, entry in files.items()
    )


def _read(folder: Path) -> dict[str, dict[str, int | str]] | None:
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files: dict[str, dict[str, int | str]] = content["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return files


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
