"""A corpus on disk: the files of each split, and their text in pieces.

Any folder of `.txt`, `.txt.gz` or Parquet files works, as do WikiText's `wiki.train.tokens` and
Penn Treebank's `ptb.train.txt`. A file whose name contains the part `train`, `valid`, `validation`,
`val`, `dev` or `test` belongs to that split, any other to the training split.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.core.errors import HarnessError
from workloads.data.paths import default_data_dir

if TYPE_CHECKING:
    import pyarrow

TEXT = (".txt", ".txt.gz", ".tokens", ".raw")
PARQUET = ".parquet"
COLUMN = "text"
SPLITS = {
    "train": "train",
    "valid": "validation",
    "validation": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
RENAME = (
    "a training file has 'train' in its name, ahead of any of these words, or none of them: "
    f"{', '.join(part for part in SPLITS if part != 'train')}"
)
PIECE_CHARACTERS = 2**20
PARQUET_ROWS = 256
EXTRA = "pip install 'guided-descent[text]'"


class Corpus(NamedTuple):
    """The files of each split, sorted by name."""

    place: Path
    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    test: tuple[Path, ...]

    @property
    def by_split(self) -> dict[str, tuple[Path, ...]]:
        """The splits that have files."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: files for split, files in splits.items() if files}

    @property
    def files(self) -> tuple[Path, ...]:
        """All files."""
        return (*self.train, *self.validation, *self.test)


def find(corpus: str, data_dir: Path | None, suffixes: tuple[str, ...]) -> Corpus:
    """Find a corpus: a folder of its name in the data folder, or else the data folder itself.

    Args:
        corpus: the name, or an absolute path to a folder or a file.
        data_dir: the data folder; None for `default_data_dir()`.
        suffixes: allowed suffixes of file names.

    Raises:
        HarnessError: there is no such file, or none for training.
    """
    base = data_dir if data_dir is not None else default_data_dir()
    place = base / corpus if (base / corpus).exists() else base
    inside = [place] if place.is_file() else sorted(place.glob("*"))
    files = [file for file in inside if file.is_file() and file.name.endswith(suffixes)]
    by_split: dict[str, list[Path]] = {"train": [], "validation": [], "test": []}
    for file in files:
        by_split[split_of(file)].append(file)
    if not by_split["train"]:
        raise _none_to_train_on(corpus, place, suffixes, files)
    return Corpus(place, *(tuple(by_split[split]) for split in ("train", "validation", "test")))


def _none_to_train_on(
    corpus: str, place: Path, suffixes: tuple[str, ...], files: list[Path]
) -> HarnessError:
    splits = ", ".join(f"{file.name} is for {split_of(file)}" for file in files)
    return HarnessError(
        f"no training text of corpus '{corpus}' in {place}: "
        + (splits or f"no file ends in {', '.join(suffixes)}"),
        f"{RENAME};\n  {ways_out(corpus)}" if files else ways_out(corpus),
    )


def ways_out(corpus: str) -> str:
    """How to get a corpus, for error messages."""
    fetch = f"harness data prepare {corpus}, or " if corpus.startswith("wikitext") else ""
    return f"{fetch}--data-dir DIR, where DIR holds such files or a folder '{corpus}' of them"


def split_of(file: Path) -> str:
    """The split named in a file's name; `train` if there is none."""
    parts = re.split(r"[._-]", file.name.lower())
    return next((SPLITS[part] for part in parts if part in SPLITS), "train")


def pieces(files: Iterable[Path]) -> Iterator[str]:
    """The text of files in pieces of whole lines, about a million characters each.

    A row of a Parquet file is a document; it is followed by a blank line unless it ends with a
    newline, as in WikiText.

    Raises:
        HarnessError: a file cannot be read, is truncated, is not UTF-8, or has no string column
            `text`.
    """
    for file in files:
        if file.name.endswith(PARQUET):
            yield from _parquet_pieces(file)
        else:
            yield from _text_pieces(file)


def _text_pieces(file: Path) -> Iterator[str]:
    lines = 0
    try:
        with _open(file) as binary, io.TextIOWrapper(binary, encoding="utf-8-sig") as stream:
            while some := stream.readlines(PIECE_CHARACTERS):
                lines += len(some)
                yield "".join(some)
    except UnicodeDecodeError as error:
        raise HarnessError(
            f"{file} is not UTF-8 after line {lines}: {error}",
            f"convert it, for example: iconv -f LATIN1 -t UTF-8 {file.name}",
        ) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise HarnessError(
            f"{file} is damaged or cut short after line {lines}: {error}",
            f"copy or download it again; gzip --test {file.name} checks it",
        ) from error
    except OSError as error:
        raise HarnessError(f"cannot read {file}: {error.strerror or error}") from error


def _open(file: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.GzipFile(file) if file.name.endswith(".gz") else file.open("rb")


def _parquet_pieces(file: Path) -> Iterator[str]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise HarnessError(f"reading {file} needs pyarrow", EXTRA) from error
    rows = 0
    try:
        with parquet.ParquetFile(file) as table:
            _check_column(file, table.schema_arrow)
            for batch in table.iter_batches(batch_size=PARQUET_ROWS, columns=[COLUMN]):
                texts = [text for text in batch.column(0).to_pylist() if text]
                rows += len(batch)
                yield "".join(text if text.endswith("\n") else f"{text}\n\n" for text in texts)
    except UnicodeDecodeError as error:
        raise HarnessError(
            f"column '{COLUMN}' of {file} is not UTF-8 after row {rows}: {error}",
            "rewrite the file with the column encoded in UTF-8",
        ) from error
    except (ArrowException, OSError) as error:
        raise HarnessError(
            f"{file} is damaged or not a Parquet file: {error}", "copy or download it again"
        ) from error


def _check_column(file: Path, schema: pyarrow.Schema) -> None:
    from pyarrow import types

    if COLUMN not in schema.names:
        raise HarnessError(
            f"{file} has no column '{COLUMN}'", f"its columns: {', '.join(schema.names)}"
        )
    kind = schema.field(COLUMN).type
    value_type = kind.value_type if types.is_dictionary(kind) else kind
    if not (types.is_string(value_type) or types.is_large_string(value_type)):
        raise HarnessError(
            f"column '{COLUMN}' of {file} is of type {kind}", "allowed: string, large_string"
        )
