"""The manifest of a prepared instance: size and hash of each file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from harness.core.canonical import canonical_json

MANIFEST = "manifest.json"
HASHED_BYTES = 10**9
"""Folders up to this size are hashed at every use, which takes a second or two at most."""


def write_manifest(folder: Path) -> None:
    """Write the size and SHA-256 of every file in a folder to its manifest, as the last file."""
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
    """Whether it `is_whole` and, up to HASHED_BYTES in total, `has_its_hashes`.

    Larger ones, such as decoded ImageNet, are checked by file size only.
    """
    total = sum(int(entry["bytes"]) for entry in (_read(folder) or {}).values())
    try:
        return is_whole(folder) and (total > HASHED_BYTES or has_its_hashes(folder))
    except OSError:
        # Treat an unreadable file as missing; rebuilding it will report why.
        return False


def is_whole(folder: Path) -> bool:
    """Whether there is a manifest and every file has its recorded size; reads no data."""
    files = _read(folder)
    return files is not None and all(
        (folder / name).is_file() and (folder / name).stat().st_size == entry["bytes"]
        for name, entry in files.items()
    )


def has_its_hashes(folder: Path) -> bool:
    """Whether every file has its recorded hash; reads all data."""
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
