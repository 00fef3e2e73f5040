"""CIFAR-10 from its home page, with resumable downloads, or from a local path."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from harness.core.errors import HarnessError
from workloads.data import cifar10
from workloads.data.unpack import unpack

URL = f"https://www.cs.toronto.edu/~kriz/{cifar10.ARCHIVE}"
TIMEOUT_S = 30.0
BLOCK_BYTES = 2**18

Progress = Callable[[int, int | None], None]
"""Called with the bytes received so far and the total bytes, if known."""


def prepare_cifar10(data_dir: Path, source: Path | None, progress: Progress) -> Path:
    """Put CIFAR-10's unpacked folder into a data folder, unless it is there and readable.

    A folder that cannot be read completely is replaced.

    Args:
        data_dir: the data folder.
        source: the archive, the unpacked folder, or a folder containing one; None to download.
        progress: called with the download's progress.

    Returns:
        The unpacked folder.

    Raises:
        HarnessError: no network, a broken archive, or a folder that cannot be written.
    """
    place = data_dir / cifar10.FOLDER
    try:
        if source is None and _is_whole(place):
            return place
        data_dir.mkdir(parents=True, exist_ok=True)
        if source is not None:
            _take(source, place)
        else:
            _download_and_unpack(data_dir, progress)
        cifar10.load(place)
    except OSError as error:
        raise HarnessError(
            f"cannot write CIFAR-10 to {data_dir}: {error.strerror or error}",
            "free some space there (400 MB), or name another folder with --data-dir DIR",
        ) from error
    return place


def download(url: str, archive: Path, progress: Progress, ways_out: str = cifar10.WAYS_OUT) -> None:
    """Download a file via `<archive>.part`, resuming an earlier attempt.

    Args:
        url: address of the file; a server without range support sends it from the start.
        archive: path of the complete file.
        progress: called with the download's progress.
        ways_out: alternatives named in the error message.

    Raises:
        HarnessError: the server cannot be reached, or the connection broke.
    """
    part = archive.with_name(f"{archive.name}.part")
    try:
        _fetch(url, part, progress)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise HarnessError(
            f"cannot download {url}: {reason}",
            f"run the same command again to resume; {ways_out}",
        ) from error
    part.replace(archive)


def _fetch(url: str, part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            is_resumed = response.status == HTTPStatus.PARTIAL_CONTENT
            _receive(response, part, have if is_resumed else 0, progress)
    except urllib.error.HTTPError as error:
        error.close()
        # The part already has the file's full length.
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise


def _receive(response: BinaryIO, part: Path, have: int, progress: Progress) -> None:
    length = getattr(response, "length", None)
    total = have + length if length is not None else None
    with part.open("ab" if have else "wb") as file:
        while block := response.read(BLOCK_BYTES):
            file.write(block)
            have += len(block)
            progress(have, total)
    if total is not None and have < total:
        raise ConnectionError(f"the connection broke after {have} of {total} bytes")


def _download_and_unpack(data_dir: Path, progress: Progress) -> None:
    archive = data_dir / cifar10.ARCHIVE
    if not archive.exists():
        download(URL, archive, progress)
    try:
        cifar10.check_md5(archive)
    except HarnessError:
        # Resuming cannot repair a download with wrong content.
        archive.unlink()
        raise
    _take(archive, data_dir / cifar10.FOLDER)


def _take(source: Path, place: Path) -> None:
    files = cifar10.files(source)
    if files[0].parent == place:
        return
    making = place.with_name(f"{place.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    try:
        whole = _fill(making, files)
        shutil.rmtree(place, ignore_errors=True)
        whole.rename(place)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _fill(making: Path, files: tuple[Path, ...]) -> Path:
    """Check and unpack the archive or copy the batches to `making`; return the batches' folder."""
    if len(files) == 1:
        cifar10.check_md5(files[0])
        unpack(files[0], making)
        return making / cifar10.FOLDER
    # An archive has a checksum. A folder is read before it replaces one that may be good.
    cifar10.load(files[0].parent)
    making.mkdir()
    for file in files:
        shutil.copyfile(file, making / file.name)
    return making


def _is_whole(place: Path) -> bool:
    try:
        cifar10.load(place)
    except HarnessError:
        return False
    return True
