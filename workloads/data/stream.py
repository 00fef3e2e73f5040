"""A stream of tokens over one or more files, cut into the sequences of a split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.core.errors import HarnessError
from workloads.data.ids import Ids

PIECE_TOKENS = 2**21
"""Approximate number of tokens in memory at once."""


@dataclass(frozen=True)
class Stream:
    """The concatenated tokens of files, from `start` (inclusive) to `end` (exclusive)."""

    files: tuple[tuple[Path, Ids], ...]
    """Each file with its memory-mapped tokens, (tokens,)."""
    start: int = 0
    end: int | None = None

    def __len__(self) -> int:
        whole = sum(len(tokens) for _, tokens in self.files)
        return max(0, (whole if self.end is None else min(whole, self.end)) - self.start)

    def sequences(self, time: int) -> int:
        """The number of sequences with `time` inputs and targets."""
        return max(0, len(self) - 1) // time

    def read(self, begin: int, end: int, vocabulary: int) -> Ids:
        """The tokens from `begin` (inclusive) to `end` (exclusive), (end - begin,).

        Raises:
            HarnessError: a token is not below `vocabulary`.
        """
        parts = []
        at = -self.start
        for file, tokens in self.files:
            part = tokens[max(0, begin - at) : max(0, end - at)]
            at += len(tokens)
            if len(part):
                parts.append(part)
                largest = int(part.max())
                if largest >= vocabulary:
                    raise HarnessError(
                        f"{file} has token {largest}, outside the workload's vocabulary of "
                        f"{vocabulary}",
                        "use shards of that vocabulary, or Parquet files, which are tokenised here",
                    )
        return np.concatenate(parts)


def write_rows(place: Path, stream: Stream, count: int, time: int, ids: Ids) -> None:
    """Write the first `count` contiguous sequences of `time` tokens from a stream.

    place/{inputs,targets}.npy are (count, time), with the dtype of `ids`; the targets are the
    inputs' next tokens.

    Args:
        place: the split's folder.
        stream: the tokens.
        count: number of sequences.
        time: tokens per sequence.
        ids: the id of each token, (vocabulary,).

    Raises:
        HarnessError: the stream has a token outside the vocabulary.
    """
    place.mkdir(parents=True, exist_ok=True)
    for name, shift in (("inputs", 0), ("targets", 1)):
        with (place / f"{name}.npy").open("wb") as file:
            header = {"descr": ids.dtype.str, "fortran_order": False, "shape": (count, time)}
            np.lib.format.write_array_header_1_0(file, header)
            for begin, end in _pieces(count * time):
                file.write(ids[stream.read(begin + shift, end + shift, len(ids))].tobytes())


def _pieces(tokens: int) -> Iterator[tuple[int, int]]:
    for begin in range(0, tokens, PIECE_TOKENS):
        yield begin, min(begin + PIECE_TOKENS, tokens)
