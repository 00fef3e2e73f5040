"""A scratch is gone after its trial, even if its referee was killed, and never while it is used."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.sandboxes.scratch import PREFIX, scratch

HOLD = """
import sys
from harness.sandboxes.scratch import scratch
with scratch() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_what_a_killed_referee_left_is_removed_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        theirs = other.stdout.readline().strip()
        os.utime(theirs, (0, 0))
        with scratch() as ours:
            assert sorted(tmp_path.iterdir()) == sorted([ours, type(ours)(theirs)])
        other.kill()
    with scratch() as ours:
        assert list(tmp_path.iterdir()) == [ours]
    assert not list(tmp_path.iterdir())


def test_a_link_of_that_name_is_left_alone(tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (tmp_path / f"{PREFIX}x").symlink_to(elsewhere)
    os.utime(tmp_path / f"{PREFIX}x", (0, 0), follow_symlinks=False)
    with scratch():
        assert elsewhere.is_dir()
        assert (tmp_path / f"{PREFIX}x").is_symlink()
