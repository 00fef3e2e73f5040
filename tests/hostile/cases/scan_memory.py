"""Scans its own stack, heap and mappings for the instance's seed and for held-out examples.

It knows them by their hashes, so that what it looks for is not in its memory by its own doing.
"""

import ctypes
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np

from .honest import Honest, succeed

IS_HEX = bytes(b"-x"[byte in b"0123456789abcdef"] for byte in range(256))
"""Tells digits from all else by one pass, which is much faster than a regular expression."""
CHUNK, OVERLAP, EXAMPLE = 2**24, 64, 64
Known = tuple[str, int, str]
"""The hash of the seed's text; the first word of a held-out example, and the hash of its bytes."""


def readable() -> Iterator[tuple[int, int]]:
    """What can be read of this process, but for the code that it has mapped."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, *_, name = [*line.split(maxsplit=5), ""][:6]
        is_data = name.endswith(".npy") or not name.startswith(("/", "[v"))
        if rights.startswith("r") and is_data:
            start, end = (int(part, 16) for part in span.split("-"))
            yield start, min(end, start + 2**30)


def digits(chunk: bytes) -> Iterator[bytes]:
    """All stretches of 32 hexadecimal digits."""
    marked = chunk.translate(IS_HEX)
    at = marked.find(b"x" * 32)
    while at >= 0:
        yield chunk[at : at + 32]
        at = marked.find(b"x" * 32, at + 1)


def found_in(chunk: bytes, secrets: Known) -> Iterator[str]:
    seed, word, example = secrets
    if any(sha256(text).hexdigest() == seed for text in set(digits(chunk))):
        yield "the seed"
    words = np.frombuffer(chunk, np.uint32, len(chunk) // 4)
    for place in 4 * np.flatnonzero(words == word):
        if sha256(chunk[place : place + EXAMPLE]).hexdigest() == example:
            yield "a held-out example"


def search(secrets: Known) -> set[str]:
    found: set[str] = set()
    for start, end in readable():
        for at in range(start, end, CHUNK - OVERLAP):
            found |= set(found_in(ctypes.string_at(at, min(CHUNK, end - at)), secrets))
    return found


class Submission(Honest):
    def act(self) -> None:
        from .facts import KNOWN

        for what in sorted(search(KNOWN)):
            succeed(f"{what} was in this process")
