"""WikiText (Merity et al., 2016), as Parquet files from its home page, one row per line.

`wikitext-103` is the raw text, for byte-pair encoding; `wikitext-2` the version with <unk>, for
whole words.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from pathlib import Path

from harness.core.errors import HarnessError
from workloads.data import corpus
from workloads.data.download import Progress, download

BASE = "https://huggingface.co/datasets/Salesforce/wikitext/resolve/main"
HELD_OUT = ("validation-00000-of-00001.parquet", "test-00000-of-00001.parquet")
FILES = {
    "wikitext-2": ("wikitext-2-v1", ("train-00000-of-00001.parquet", *HELD_OUT)),
    "wikitext-103": (
        "wikitext-103-raw-v1",
        ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet", *HELD_OUT),
    ),
}
SUFFIXES = (*corpus.TEXT, corpus.PARQUET)
MARK = b"PAR1"
"""First and last bytes of a Parquet file."""


def prepare_wikitext(name: str, data_dir: Path, source: Path | None, progress: Progress) -> Path:
    """Put WikiText into its folder in a data folder, unless it is there and readable.

    The folder is renamed into place once it is complete and its text has been read, so a partial
    one is never used, and a good one is never replaced by a broken one. One that cannot be read
    completely is replaced.

    Args:
        name: `wikitext-2` or `wikitext-103`.
        data_dir: the data folder.
        source: a folder with the text in any format that `workloads.data.corpus` reads; None to
            download.
        progress: called with the progress of each file's download.

    Returns:
        The folder.

    Raises:
        HarnessError: no network, a broken file, a folder that cannot be written, or pyarrow is not
            installed.
    """
    place = data_dir / name
    try:
        if source is None and _is_whole(name, place):
            return place
        data_dir.mkdir(parents=True, exist_ok=True)
        if source is not None:
            # Not the folder of a download, which goes on with the files that it finds.
            _copy(name, source, place, data_dir / f"{name}.copying")
        else:
            _download(name, place, data_dir / f"{name}.making", progress)
    except OSError as error:
        raise HarnessError(
            f"cannot write {name} to {data_dir}: {error.strerror or error}",
            "free some space there (350 MB), or name another folder with --data-dir DIR",
        ) from error
    return place


def _is_whole(name: str, place: Path) -> bool:
    try:
        _read(name, place)
    except HarnessError as error:
        if _is_without_library(error):
            raise
        return False
    return True


def _is_without_library(error: HarnessError) -> bool:
    """Whether a library is missing, and the text not damaged."""
    return isinstance(error.__cause__, ImportError)


def _read(name: str, place: Path) -> corpus.Corpus:
    """Read the whole text to raise any error now; takes 2 s for `wikitext-103`."""
    texts = corpus.find(name, place, SUFFIXES)
    deque(corpus.pieces(texts.files), maxlen=0)
    return texts


def _download(name: str, place: Path, making: Path, progress: Progress) -> None:
    folder, files = FILES[name]
    making.mkdir(exist_ok=True)
    _remove_others(making, files)
    for file in files:
        if not (making / file).exists():
            download(f"{BASE}/{folder}/{file}", making / file, progress, corpus.ways_out(name))
            _check(making / file)
    _read_download(name, making)
    _replace(place, making)


def _read_download(name: str, making: Path) -> None:
    try:
        _read(name, making)
    except HarnessError as error:
        if not _is_without_library(error):
            # The next download would keep the damaged file.
            shutil.rmtree(making)
        raise


def _remove_others(making: Path, files: tuple[str, ...]) -> None:
    """Remove all but a data set's files and their parts: another file would be read as its text."""
    for file in making.iterdir():
        if file.name.removesuffix(".part") not in files:
            file.unlink()


def _check(file: Path) -> None:
    with file.open("rb") as stream:
        begins = stream.read(len(MARK))
        stream.seek(-min(len(MARK), file.stat().st_size), os.SEEK_END)
        ends = stream.read()
    if begins != MARK or ends != MARK:
        # Resuming cannot repair a download with wrong content.
        file.unlink()
        raise HarnessError(f"the download of {file.name} is not a Parquet file", "try again later")


def _copy(name: str, source: Path, place: Path, making: Path) -> None:
    texts = _read(name, source)
    shutil.rmtree(making, ignore_errors=True)
    try:
        making.mkdir()
        for file in texts.files:
            shutil.copyfile(file, making / file.name)
        _replace(place, making)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _replace(place: Path, making: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    making.rename(place)
