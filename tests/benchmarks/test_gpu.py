"""`make gpu`: pieces in order, resumed where they were, and none begun that would not end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module; it imports the one beside it."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import gpu

    module: ModuleType = gpu
    return module


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def states(out: Path) -> dict[str, str]:
    return {path.stem: json.loads(path.read_text())["state"] for path in out.glob("*.json")}


def test_what_is_done_is_not_repeated_and_what_failed_is(gpu: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "log"
    out = tmp_path / "out"
    out.mkdir()
    note = f"open({str(log)!r}, 'a').write('x')"
    failing = (python(f"{note}; raise SystemExit(3)"), python("never"))
    chosen = (gpu.Piece("good", 1, (python(note),)), gpu.Piece("bad", 1, failing))
    for _ in range(2):
        found = gpu.run_all(chosen, out, 60.0)
    assert found == {"good": "done", "bad": "failed"} == states(out)
    assert log.read_text() == "xxx"
    assert [one.code for one in gpu.earlier(out / "bad.json").commands] == [3]


def test_a_piece_whose_time_is_over_is_interrupted_and_goes_on(
    gpu: ModuleType, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    code = f"""
import pathlib, time
kept = pathlib.Path({str(kept)!r})
if not kept.exists():
    kept.touch()
    print("begun", flush=True)
    time.sleep(60)
"""
    piece = gpu.Piece("long", 0, (python(code),), goes_on=True)
    first = gpu.run_piece(piece, 1.5)
    assert (first.state, first.commands[0].code) == ("interrupted", None)
    assert "KeyboardInterrupt" in first.commands[0].lines[-1]
    second = gpu.run_piece(piece, 20.0, first.seconds)
    assert second.state == "done"
    assert second.seconds >= first.seconds


def test_no_piece_begins_that_would_not_end(gpu: ModuleType, tmp_path: Path) -> None:
    chosen = (gpu.Piece("long", 100, (python(""),)), gpu.Piece("short", 1, (python(""),)))
    assert gpu.run_all(chosen, tmp_path, 50.0) == {"long": "not begun", "short": "done"}
    assert states(tmp_path) == {"short": "done"}


def test_every_piece_fits_its_nine_minutes_and_all_the_hour(
    gpu: ModuleType, tmp_path: Path
) -> None:
    from gpu_pieces import BOARD, Setting, pieces

    from harness.providers.registry import submission_folders

    known = tuple(sorted(submission_folders()))
    every = pieces(Setting(tmp_path, None), known)
    assert len({piece.name for piece in every}) == len(every)
    assert max(piece.expected_s for piece in every) <= gpu.MOST_S
    assert set(BOARD) <= set(known)


def test_an_unknown_piece_is_named(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "gpu.py"), "--only", "dctor", "--out", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no such piece: dctor" in done.stderr
