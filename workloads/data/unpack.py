"""Unpack an untrusted tar archive in the same way on every Python version.

The filters of `tarfile.extractall` were added in Python 3.11.4 and differ between versions, so they
are not used: each file's bytes are read from the archive and written here, and links are never
created.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from harness.core.errors import HarnessError

BROKEN = (tarfile.TarError, gzip.BadGzipFile, EOFError, lzma.LZMAError, zlib.error)
IN_THE_WAY = (FileExistsError, IsADirectoryError, NotADirectoryError)
KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
}
ALLOWED = (
    "allowed: files and folders with relative names without '..'; "
    "download the archive again from its official source"
)


def unpack(archive: Path, target: Path) -> None:
    """Unpack an archive's files and folders into a folder.

    Only names and contents are used; permissions, owners and times are those of new files.

    Args:
        archive: a tar archive, compressed or not.
        target: destination folder, created if missing.

    Raises:
        HarnessError: a member is a link, a device or a pipe, or lies outside the target; or the
            archive cannot be read completely. Earlier members have been written by then.
    """
    target.mkdir(parents=True, exist_ok=True)
    root = target.resolve()
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if fault := _fault(member, root):
                    raise HarnessError(f"{archive} contains {member.name!r}, {fault}", ALLOWED)
                _write(tar, member, root / member.name)
    except BROKEN as error:
        raise HarnessError(
            f"{archive} is damaged or not a tar archive: {error}",
            "allowed: a tar archive, plain or in gzip, bzip2 or xz; download it again",
        ) from error
    except IN_THE_WAY as error:
        raise HarnessError(
            f"{archive} has {error.filename} both as a file and as a folder", ALLOWED
        ) from error


def _fault(member: tarfile.TarInfo, root: Path) -> str:
    """The reason for refusing a member; empty if there is none."""
    name = PurePosixPath(member.name)
    if not (member.isreg() or member.isdir()):
        return KINDS.get(member.type, "neither a file nor a folder")
    if name.is_absolute():
        return "an absolute name"
    if ".." in name.parts:
        return "a name with '..'"
    if "\0" in member.name:
        return "a name with a zero byte"
    if not (root / name).resolve().is_relative_to(root):
        return f"which lies outside {root}"
    return ""


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"{member.name} has no content")
    with content, place.open("wb") as file:
        shutil.copyfileobj(content, file)
