"""Unpacking writes files and folders below the target and nothing else, on every Python."""

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from workloads.data.unpack import unpack

Mode = Literal["w", "w:gz", "w:bz2", "w:xz"]
LINKS = {tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link"}
SPECIAL = {tarfile.CHRTYPE: "a device", tarfile.BLKTYPE: "a device", tarfile.FIFOTYPE: "named pipe"}


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, link
    header.size = 4 if kind == tarfile.REGTYPE else 0
    return header


def pack(folder: Path, *members: tarfile.TarInfo, mode: Mode = "w") -> Path:
    """An archive in which each file holds the same four bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "made.tar"
    with tarfile.open(archive, mode) as tar:
        for header in members:
            tar.addfile(header, io.BytesIO(b"tar!"))
    return archive


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("compression", ["w", "w:gz", "w:bz2", "w:xz"])
def test_files_and_folders_come_out(tmp_path: Path, compression: Mode) -> None:
    members = [member("./a/b"), member("c/", tarfile.DIRTYPE), member("d"), member("d")]
    archive = pack(tmp_path, *members, mode=compression)
    unpack(archive, tmp_path / "new" / "out")
    assert files_in(tmp_path / "new" / "out") == {"a/b": b"tar!", "d": b"tar!"}
    assert (tmp_path / "new" / "out" / "c").is_dir()


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..", "a/../x", "/x", "//x", "a/./../../x"])
def test_a_name_that_could_leave_the_target_is_refused(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / "in", member("first"), member(name))
    with pytest.raises(
        HarnessError, match=r"contains '.*', an? (absolute )?name.*\n.*allowed: files"
    ):
        unpack(archive, tmp_path / "out")
    assert files_in(tmp_path).keys() == {"in/made.tar", "out/first"}


@pytest.mark.parametrize("kind", [*LINKS, *SPECIAL, b"Z"])
def test_what_is_no_file_and_no_folder_is_refused_by_its_kind(tmp_path: Path, kind: bytes) -> None:
    archive = pack(tmp_path / "in", member("inside"), member("odd", kind, "inside"))
    words = (LINKS | SPECIAL).get(kind, "neither a file nor a folder")
    with pytest.raises(HarnessError, match=f"made.tar contains 'odd'.*{words}"):
        unpack(archive, tmp_path / "out")
    assert not os.path.lexists(tmp_path / "out" / "odd")


@pytest.mark.parametrize("kind", LINKS)
def test_nothing_is_written_through_a_link_of_the_archive(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "x").write_bytes(b"kept")
    link = member("link", kind, str(tmp_path / "victim"))
    archive = pack(tmp_path / "in", link, member("link/x"), member("link"))
    with pytest.raises(HarnessError, match="link"):
        unpack(archive, tmp_path / "out")
    assert files_in(tmp_path / "victim") == {"x": b"kept"}


def test_nothing_is_written_through_a_link_that_was_there_before(tmp_path: Path) -> None:
    for name in ("victim", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(HarnessError, match="'link/x', which lies outside"):
        unpack(pack(tmp_path / "in", member("link/x")), tmp_path / "out")
    assert files_in(tmp_path / "victim") == {}


def test_rights_and_owners_of_the_archive_are_not_taken(tmp_path: Path) -> None:
    header = member("tool")
    header.mode, header.uid, header.gid = 0o6777, 12345, 12345
    (tmp_path / "plain").touch()
    unpack(pack(tmp_path, header), tmp_path / "out")
    status, plain = (tmp_path / "out" / "tool").stat(), (tmp_path / "plain").stat()
    assert stat.S_IMODE(status.st_mode) == stat.S_IMODE(plain.st_mode)
    assert (status.st_uid, status.st_gid) == (plain.st_uid, plain.st_gid)


def test_a_name_that_is_file_and_folder_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "in", member("a"), member("a/b"))
    with pytest.raises(HarnessError, match=r"has .*/out/a.* both as a file and as a folder"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("compression", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_cut_archive_is_refused(tmp_path: Path, compression: Mode) -> None:
    archive = pack(tmp_path / "in", member("a"), mode=compression)
    os.truncate(archive, 514 if compression == "w" else archive.stat().st_size // 2)
    with pytest.raises(HarnessError, match=r"made.tar is damaged or not a tar archive"):
        unpack(archive, tmp_path / "out")


PARTS = st.sampled_from(["a", "b", "link", "..", ".", "", "\0", "é", "a" * 120])
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, *LINKS])


@given(members=st.lists(st.tuples(NAMES, KINDS, NAMES), max_size=6))
def test_whatever_the_members_nothing_outside_changes(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes, str]]
) -> None:
    place = tmp_path_factory.mktemp("any")
    archive = pack(place / "in", *(member(*entry) for entry in members))
    try:
        unpack(archive, place / "1" / "2" / "3" / "4" / "5" / "out")
    except HarnessError as refusal:
        assert "made.tar" in str(refusal)
    assert all(path.startswith(("in/made.tar", "1/2/3/4/5/out/")) for path in files_in(place))
    assert not any(path.is_symlink() for path in place.rglob("*"))
