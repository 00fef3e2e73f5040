"""Canonical JSON and the hashes that identify trials, events, files and folders."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: the value holds NaN or infinity.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_text(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hexadecimal."""
    return sha256_text(canonical_json(value))


def sha256_files(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 of files: of each path relative to `root`, its length and its bytes, in order."""
    digest = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes()
        name = os.fsencode(file.relative_to(root).as_posix())
        digest.update(name + f"\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
