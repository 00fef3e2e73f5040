"""The start of a text, held out for validation where a corpus has no file for it.

It is cut off before anything is tokenised, so that the tokenizer learns from the rest alone. How
many tokens it makes is known only afterwards, so it has a generous number of characters, of which
validation takes the first tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate

CHARACTERS_PER_TOKEN = 8
"""More than the four to six characters that a token has in most languages."""
SMALLEST_RATIO = 10
"""A short text gives up at most a tenth."""
SPACE = re.compile(r"\s")


def characters_of(texts: Iterable[str], tokens: int) -> int:
    """How many characters to hold out for a number of tokens; reads no more than decides it."""
    wanted = CHARACTERS_PER_TOKEN * tokens
    most = 0
    for most in accumulate(map(len, texts)):
        if most >= SMALLEST_RATIO * wanted:
            return wanted
    return min(wanted, max(1, most // SMALLEST_RATIO))


def held_out(texts: Iterable[str], characters: int) -> Iterator[str]:
    """The start of a text in pieces: this many characters, and the rest of the word."""
    return (text for is_start, text in _parts(texts, characters) if is_start)


def remaining(texts: Iterable[str], characters: int) -> Iterator[str]:
    """The text in pieces after what `held_out` gives."""
    return (text for is_start, text in _parts(texts, characters) if not is_start)


def _parts(texts: Iterable[str], characters: int) -> Iterator[tuple[bool, str]]:
    for text in texts:
        end = SPACE.search(text, characters - 1) if characters > 0 else None
        cut = 0 if characters <= 0 else end.end() if end else len(text)
        characters -= len(text)
        for is_start, part in ((True, text[:cut]), (False, text[cut:])):
            if part:
                yield is_start, part
