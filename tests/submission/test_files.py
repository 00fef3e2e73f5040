"""What of an author's folder is counted, hashed and copied: regular files, and nothing else."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.submission.files import CONTENT_LIMIT_BYTES, read_folder, write_copy
from harness.submission.planned import locate
from harness.submission.resolution import resolve
from tests.kit import write_submission


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write_submission(tmp_path / "mine")


@pytest.mark.parametrize("place", [".w/weights.bin", ".DS_Store", "__pycache__/submission.pyc"])
def test_hidden_files_and_caches_stop_nothing_and_are_not_in_the_copy(
    mine: Path, tmp_path: Path, place: str
) -> None:
    before = resolve(str(mine)).files
    (mine / place).parent.mkdir(exist_ok=True)
    (mine / place).write_bytes(bytes(10 * 2**20))
    result = resolve(str(mine))
    write_copy(result.contents, copy := tmp_path / "copy")
    assert result.files == before
    assert sorted(path.name for path in copy.rglob("*")) == ["space.toml", "submission.py"]


def make(kind: str, place: Path) -> None:
    if kind == "a symbolic link":
        place.symlink_to("submission.py")
    elif kind == "a pipe":
        os.mkfifo(place)
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(place.name)


@pytest.mark.parametrize("kind", ["a symbolic link", "a pipe", "a socket"])
def test_what_is_no_file_is_refused_by_its_kind(
    mine: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine)  # and back again: a socket's path is short
    make(kind, mine / "odd")
    with pytest.raises(HarnessError, match=f"odd is {kind}"):
        resolve(str(mine))


def test_names_count_like_bytes(mine: Path) -> None:
    folder = mine / ("d" * 250)
    folder.mkdir()
    for number in range(800):
        (folder / f"{number:0>200}").touch()
    with pytest.raises(HarnessError, match=f"{CONTENT_LIMIT_BYTES} bytes are allowed"):
        resolve(str(mine))


def test_a_copy_has_bytes_and_names_and_nothing_else(mine: Path, tmp_path: Path) -> None:
    (mine / "submission.py").chmod(0o764)
    os.utime(mine / "submission.py", (12345, 67890))
    os.setxattr(mine / "submission.py", "user.weights", b"1")
    write_copy(read_folder(mine), copy := tmp_path / "copy")
    status = (copy / "submission.py").stat()
    assert (status.st_mode & 0o777, status.st_mtime) == (0o444, 0.0)
    assert os.listxattr(copy / "submission.py") == []
    assert (copy / "submission.py").read_bytes() == (mine / "submission.py").read_bytes()


def test_the_copy_is_of_what_was_hashed_though_the_file_has_changed(mine: Path) -> None:
    located = locate(resolve(str(mine)).ref, "torch")
    before = (mine / "submission.py").read_bytes()
    (mine / "submission.py").write_text("x = 1\n")
    assert located.contents["submission.py"] == before


def test_a_single_file_has_no_siblings(mine: Path) -> None:
    (mine / "helper.py").write_text("x = 1\n")
    result = resolve(str(mine / "submission.py"))
    assert set(result.contents) == {"submission.py", "space.toml"}
    (mine / "submission.py").write_text("def build(*_):\n    from .helper import x\n")
    with pytest.raises(HarnessError, match=r"imports 'helper' from beside it(.|\n)*the folder"):
        resolve(str(mine / "submission.py"))
    assert resolve(str(mine)).contents["helper.py"]
