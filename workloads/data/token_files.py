"""A text's tokens on disk, made once for all instances and then memory-mapped.

    <cache>/corpora/<key>/{train,validation,test}.tokens    little-endian, uint16 or uint32
    <cache>/corpora/<key>/{tokenizer.json,words.txt}        the tokenizer

The key is a hash of the text's SHA-256, the tokenizer's settings and library version, and the
format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.core.canonical import sha256_json
from harness.core.errors import HarnessError
from workloads.data import tokenizer
from workloads.data.cache import get_or_make
from workloads.data.corpus import Corpus, pieces
from workloads.data.held_out import characters_of, held_out, remaining
from workloads.data.ids import Ids, as_ids, id_type
from workloads.data.paths import current_cache_dir

FORMAT_VERSION = 2
CORPORA = "corpora"


def tokenise(
    corpus: Corpus, kind: tokenizer.Kind, vocabulary: int, most: dict[str, int]
) -> dict[str, tuple[Path, Ids]]:
    """The token file and memory-mapped tokens, (tokens,), of each split.

    A corpus without validation files is validated on the start of its training files, which is then
    no part of the training split.

    Args:
        corpus: the text files.
        kind: the kind of tokenizer to train on the training split.
        vocabulary: maximum vocabulary size.
        most: number of tokens needed per split, of `validation` in any case; reading stops there.

    Raises:
        HarnessError: a file is broken, a split is empty, a library is missing, or the cache cannot
            be written.
    """
    sources = {split: files for split, files in corpus.by_split.items() if split in most}

    def make(folder: Path) -> None:
        texts = _texts(corpus, most)
        coder = tokenizer.train(kind, texts["train"](), vocabulary)
        coder.save(folder)
        for split, text in texts.items():
            file = folder / f"{split}.tokens"
            if not _write(file, coder.encode(text()), vocabulary, most[split]):
                files = sources.get(split, corpus.train)
                raise HarnessError(f"the {split} text is empty: {', '.join(map(str, files))}")

    key = _key(sources, kind, vocabulary, most)
    place = get_or_make(current_cache_dir(), CORPORA, key, make)
    paths = {split: place / f"{split}.tokens" for split in dict.fromkeys((*sources, "validation"))}
    return {
        split: (file, np.memmap(file, dtype=id_type(vocabulary), mode="r"))
        for split, file in paths.items()
    }


def _texts(corpus: Corpus, most: dict[str, int]) -> dict[str, Callable[[], Iterator[str]]]:
    """What reads the text of each split, in pieces."""
    texts = {s: partial(pieces, files) for s, files in corpus.by_split.items() if s in most}
    if corpus.validation:
        return dict(texts)
    whole = texts["train"]
    start = characters_of(whole(), most["validation"])
    return texts | {
        "train": lambda: remaining(whole(), start),
        "validation": lambda: held_out(whole(), start),
    }


def _key(
    files: dict[str, tuple[Path, ...]], kind: tokenizer.Kind, vocabulary: int, most: dict[str, int]
) -> str:
    return sha256_json(
        {
            "format": FORMAT_VERSION,
            "tokenizer": [kind, tokenizer.version(kind)],
            "vocabulary": vocabulary,
            "most": most,
            "files": {split: [_sha256(file) for file in some] for split, some in files.items()},
        }
    )[:40]


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise HarnessError(f"cannot read {file}: {error.strerror or error}") from error


def _write(file: Path, tokens: Iterable[npt.NDArray[np.uint32]], vocabulary: int, most: int) -> int:
    """Write at most `most` tokens; return the number written."""
    count = 0
    with file.open("wb") as stream:
        for ids in _until(tokens, most):
            stream.write(as_ids(ids, vocabulary).tobytes())
            count += len(ids)
    return count


def _until(tokens: Iterable[npt.NDArray[np.uint32]], most: int) -> Iterator[npt.NDArray[np.uint32]]:
    remaining = most
    for ids in tokens:
        yield ids[:remaining]
        remaining -= len(ids)
        if remaining <= 0:
            return
