"""Canonical JSON and the hashes that identify trials and events."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
"""One shared encoder: building one takes as long as encoding a short event."""


def canonical_json(value: Any) -> str:
    """The canonical JSON of a value: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: the value holds NaN or infinity.
    """
    return _ENCODER.encode(value)


def sha256_text(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hexadecimal."""
    return sha256_text(canonical_json(value))
