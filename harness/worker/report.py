"""Formats a worker's numbers and errors for its messages."""

from __future__ import annotations

import math
import traceback
from typing import Literal, SupportsFloat

from harness.core.errors import HarnessError
from harness.protocol.messages import Failed
from harness.worker.hints import hint_of

OUT_OF_MEMORY = (
    "outofmemory", "out of memory", "can't allocate memory", "resource_exhausted", "alloc_failed",
)  # fmt: skip
"""Texts, in lower case, in out-of-memory errors of frameworks and CUDA's libraries."""


def finite(value: SupportsFloat | None) -> float | None:
    """A number for the wire: None if there is none, or it is not finite."""
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None


def error_report(error: BaseException, folder: str = "") -> Failed:
    """The worker's last message, about an error.

    Args:
        error: what was raised, by the submission or by the harness.
        folder: the copy of the submission, which is removed from file names.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if folder and frame.filename.startswith(f"{folder}/")]
    where = ""
    # the author's line, where a library raised below it; what we refuse is said without our line
    if location_frames := own or (not isinstance(error, HarnessError) and frames):
        last = location_frames[-1]
        where = f"{last.filename}:{last.lineno} in {last.name}: {last.line or ''}"
    if isinstance(error, SyntaxError):
        where = f"{error.filename}:{error.lineno}: {(error.text or '').strip()}"
    text = _text_of(error, (own[-1].line or "") if own else "")
    if folder:
        text, where = (part.replace(f"{folder}/", "") for part in (text, where))
    cause: Literal["exception", "out_of_memory"] = (
        "out_of_memory" if _is_out_of_memory(error) else "exception"
    )
    return Failed(cause=cause, error=_shorten(text), frame=where[:4000])


def _text_of(error: BaseException, line: str) -> str:
    if isinstance(error, HarnessError):
        return error.in_one_line
    text = f"{type(error).__name__}: {error}"
    return "; ".join(filter(None, (text, hint_of(text, line))))


def _shorten(text: str) -> str:
    """Shorten a long message in the middle, as compilers report the cause at the end."""
    return text if len(text) <= 4000 else f"{text[:1900]}\n[...]\n{text[-1900:]}"


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means out of memory; frameworks raise different types with similar
    texts.
    """
    text = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY)
