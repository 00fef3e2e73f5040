"""Script files with a page's data: a page opened from a file can load scripts, but not fetch."""

from __future__ import annotations

import json
import math

import numpy as np


def script(name: str, key: str, value: object) -> str:
    """A script that passes a value to the page: `GD.take(name, key, value)`.

    No text in it can end the script or its string literal: JSON is valid JavaScript, and `<`, `>`
    and `&` are escaped.
    """
    return f"GD.take({to_json(name)},{to_json(key)},{to_json(value)});\n"


def to_json(value: object) -> str:
    """Compact JSON that is safe in a script or in HTML; non-finite numbers are null."""
    text = dumps(value, (",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def dumps(value: object, separators: tuple[str, str] = (", ", ": ")) -> str:
    """A value as JSON on one line; non-finite numbers are null.

    Most values need no conversion, and checking them takes longer than writing them.
    """
    try:
        return json.dumps(value, separators=separators, allow_nan=False)
    except (TypeError, ValueError):  # NumPy's, or not finite
        return json.dumps(plain(value), separators=separators, allow_nan=False)


def short(value: float | None, digits: int = 5) -> float | None:
    """A number to significant digits; None if it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    number = float(f"{value:.{digits}g}")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def plain(value: object) -> object:
    """A value for JSON: non-finite numbers are None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
