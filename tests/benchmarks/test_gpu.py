"""`make gpu`: pieces in order, resumed where they were, and none begun that would not end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.frameworks.jax import backends
from harness.machine import nvml
from tests.machine.conftest import SetDriver

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
    note = f"open({str(log)!r}, 'a').write('.')"
    failing = (python(f"{note}; raise SystemExit(3)"), python("never"))
    pieces = (gpu.Piece("good", 1, (python(note),)), gpu.Piece("bad", 1, failing))
    for _ in range(2):
        result = gpu.run_all(pieces, out, 60.0)
    assert result == {"good": "done", "bad": "failed"} == states(out)
    assert log.read_text() == "..."
    assert [one.code for one in gpu.read_summary(out / "bad.json").commands] == [3]


def test_a_piece_whose_time_is_over_is_interrupted_and_goes_on(
    gpu: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    code = f"""
import pathlib, time
kept = pathlib.Path({str(folder)!r})
if not kept.exists():
    kept.touch()
    print("begun", flush=True)
    time.sleep(60)
"""
    piece = gpu.Piece("long", 0, (python(code),), can_continue=True)
    first = gpu.run_piece(piece, 1.5)
    assert (first.state, first.commands[0].code) == ("interrupted", None)
    assert "KeyboardInterrupt" in first.commands[0].lines[-1]
    second = gpu.run_piece(piece, 20.0, first.seconds)
    assert second.state == "done"
    assert second.seconds >= first.seconds


def test_in_one_call_a_piece_is_called_until_it_is_done(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "GRACE_S", 1.0)
    monkeypatch.setattr(gpu, "MOST_S", 3.0)
    folder = tmp_path / "kept"
    code = f"""
import pathlib, time
kept = pathlib.Path({str(folder)!r})
calls = len(kept.read_text()) if kept.exists() else 0
kept.write_text("x" * (calls + 1))
time.sleep(0 if calls == 2 else 60)
"""
    piece = gpu.Piece("long", 0, (python(code),), can_continue=True)
    assert gpu.run_all((piece,), tmp_path, 60.0) == {"long": "done"}
    assert gpu.read_summary(tmp_path / "long.json").seconds >= 4.0


def test_no_piece_begins_that_would_not_end(gpu: ModuleType, tmp_path: Path) -> None:
    pieces = (gpu.Piece("long", 100, (python(""),)), gpu.Piece("short", 1, (python(""),)))
    assert gpu.run_all(pieces, tmp_path, 50.0) == {"long": "not begun", "short": "done"}
    assert states(tmp_path) == {"short": "done"}


def test_every_piece_fits_its_nine_minutes_and_all_the_hour(
    gpu: ModuleType, tmp_path: Path
) -> None:
    from gpu_times import HOUR_S

    every = gpu.pieces(gpu.Setting(tmp_path, None))
    assert len({piece.name for piece in every}) == len(every)
    assert max(piece.least_s for piece in every) <= gpu.MOST_S - gpu.GRACE_S
    assert sum(piece.expected_s for piece in every) <= HOUR_S - gpu.GRACE_S


def test_the_pieces_of_a_card_are_of_the_workloads_that_are_meant_for_one(
    gpu: ModuleType, tmp_path: Path
) -> None:
    commands = [
        command
        for piece in gpu.pieces(gpu.Setting(tmp_path, None))
        for command in piece.commands
        if "standard" in command
    ]
    assert gpu.list_gpu_workloads("standard") == ("resnet", "lm", "rnn")
    assert len(commands) > 10
    assert not any("mlp" in command for command in commands)


def test_every_test_that_needs_a_card_is_in_some_piece(gpu: ModuleType, tmp_path: Path) -> None:
    tests = FOLDER.parent / "tests"
    marked = {path for path in tests.rglob("test_*.py") if "@pytest.mark.gpu" in path.read_text()}
    files_run = {
        Path(command[-1])
        for piece in gpu.pieces(gpu.Setting(tmp_path, None))
        for command in piece.commands
        if "pytest" in command
    }
    assert {path.parent for path in marked} - {Path(__file__).parent} == files_run


def test_without_a_driver_one_line_says_so_and_no_piece_is_begun(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvml, "LIBRARY", "libmissing.so.1")
    monkeypatch.setattr("sys.argv", ["gpu.py", "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit, match=r"^error: no NVIDIA driver: .*\n  install it, or"):
        gpu.main()
    assert not (tmp_path / "out").exists()


def test_every_piece_sees_the_chosen_card_alone(
    gpu: ModuleType, driver: SetDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(gpus=3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr(backends, "_is_installed", lambda _: True)
    gpu.show_gpu("cuda:2")
    output = gpu.run_command(python("import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"), 10.0)
    assert output.lines == ["GPU-2"]


def test_an_unknown_piece_is_named(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "gpu.py"), "--only", "dctor", "--out", str(tmp_path)]
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    assert process.returncode == 1
    assert "no such piece: dctor" in process.stderr
