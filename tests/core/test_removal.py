"""Removal of a folder that someone hostile has filled."""

import os
from pathlib import Path

import pytest

from harness.core.removal import remove_tree


def make_deep(folder: Path, depth: int) -> None:
    """Make folders within folders, each with a file."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        os.close(os.open("file", os.O_CREAT, dir_fd=here))
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_no_depth_stops_it(tmp_path: Path) -> None:
    (folder := tmp_path / "folder").mkdir()
    make_deep(folder, 3000)  # longer than a path may be, deeper than Python's calls
    remove_tree(folder)
    assert not folder.exists()


@pytest.mark.parametrize("rights", [0o000, 0o555])
def test_no_rights_stop_it(tmp_path: Path, rights: int) -> None:
    (inner := tmp_path / "folder" / "inner").mkdir(parents=True)
    (inner / "file").touch()
    inner.chmod(rights)
    remove_tree(inner.parent)
    assert not inner.parent.exists()


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "folder" / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "folder")
    remove_tree(tmp_path / "absent")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]
