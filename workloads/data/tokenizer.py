"""Tokenizers: byte-level byte-pair encoding, or whole words.

Both are trained on the training split only and saved next to the tokens, as `tokenizer.json` or
`words.txt`, so that ids can be decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from harness.core.errors import HarnessError
from workloads.data.corpus import EXTRA

if TYPE_CHECKING:
    import tokenizers

Ids = npt.NDArray[np.uint32]

Kind = Literal["bpe", "word"]
BPE_FILE = "tokenizer.json"
WORDS_FILE = "words.txt"
UNKNOWN = "<unk>"
END_OF_LINE = "<eos>"
MISSING = "byte-pair encoding needs the package tokenizers, which is not installed"
TRAINED_ON_CHARACTERS = 2**25
"""Number of leading characters of the training split used to train a byte-pair encoding."""


class Coder(Protocol):
    """Encodes text as ids below its vocabulary size."""

    def encode(self, texts: Iterable[str]) -> Iterator[Ids]:
        """The ids of pieces of whole lines, one array per piece."""
        ...

    def save(self, folder: Path) -> None:
        """Save the tokenizer to a folder."""
        ...


def train(kind: Kind, texts: Iterable[str], vocabulary: int) -> Coder:
    """Train a tokenizer of at most `vocabulary` ids on the text of the training split."""
    if kind == "word":
        return Words.of(texts, vocabulary)
    return PairEncoding.of(texts, vocabulary)


def version(kind: Kind) -> str:
    """The version of the library that determines the ids; empty if there is none.

    Raises:
        HarnessError: the library is not installed.
    """
    try:
        return metadata.version("tokenizers") if kind == "bpe" else ""
    except metadata.PackageNotFoundError as error:
        raise HarnessError(MISSING, EXTRA) from error


class PairEncoding:
    """Byte-level byte-pair encoding with GPT-2's pre-tokenisation, by the library `tokenizers`."""

    def __init__(self, library: tokenizers.Tokenizer) -> None:
        self.library = library

    @classmethod
    def of(cls, texts: Iterable[str], vocabulary: int) -> PairEncoding:
        """Learn the merges from the start of a text.

        Raises:
            HarnessError: the library is not installed.
        """
        try:
            from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
        except ImportError as error:
            raise HarnessError(MISSING, EXTRA) from error
        library = Tokenizer(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        library.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            min_frequency=2,
            show_progress=False,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        )
        library.train_from_iterator(_first(texts, TRAINED_ON_CHARACTERS), trainer)
        return cls(library)

    def encode(self, texts: Iterable[str]) -> Iterator[Ids]:
        """The ids of each piece; see `Coder`."""
        for text in texts:
            lines = text.splitlines(keepends=True)
            encodings = self.library.encode_batch_fast(lines, add_special_tokens=False)
            yield np.array([*chain.from_iterable(line.ids for line in encodings)], dtype=np.uint32)

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`."""
        (folder / BPE_FILE).write_text(self.library.to_str(), encoding="utf-8")


class Words:
    """The most frequent whitespace-separated words and an end of line; others are `<unk>`."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.ids = {word: number for number, word in enumerate(words)}

    @classmethod
    def of(cls, texts: Iterable[str], vocabulary: int) -> Words:
        """Rank the words of a text by count, then alphabetically."""
        frequencies = Counter(chain.from_iterable(text.split() for text in texts))
        for special in (UNKNOWN, END_OF_LINE):
            frequencies.pop(special, None)
        ranking = sorted(frequencies.items(), key=lambda item: (-item[1], item[0]))
        return cls([UNKNOWN, END_OF_LINE, *(word for word, _ in ranking[: vocabulary - 2])])

    def encode(self, texts: Iterable[str]) -> Iterator[Ids]:
        """The ids of each piece, see `Coder`; blank lines are skipped."""
        for text in texts:
            ids: list[int] = []
            for line in text.split("\n"):
                words = line.split()
                if words:
                    ids.extend(self.ids.get(word, 0) for word in words)
                    ids.append(1)
            yield np.array(ids, dtype=np.uint32)

    def save(self, folder: Path) -> None:
        """Write `words.txt`, one word per line in the order of the ids."""
        (folder / WORDS_FILE).write_text("\n".join(self.words) + "\n", encoding="utf-8")


def _first(texts: Iterable[str], characters: int) -> Iterator[str]:
    length = 0
    for text in texts:
        yield from text.splitlines(keepends=True)
        length += len(text)
        if length >= characters:
            return
