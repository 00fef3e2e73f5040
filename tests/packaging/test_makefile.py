import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in an empty folder, as if not called from another make."""
    for name in ("pyproject.toml", "constraints.txt"):
        (folder / name).touch()
    shutil.copy(ROOT / "Makefile", folder)
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _needs_make() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")


def test_a_machine_without_a_fitting_python_is_told_so(tmp_path: Path) -> None:
    process = make(tmp_path, "PYTHON=false", ".venv/made")
    assert process.returncode != 0
    assert "No Python 3.11 to 3.13 with venv among: false" in process.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_demo_runs_two_submissions_and_reports(tmp_path: Path) -> None:
    lines = make(tmp_path, "--dry-run", "demo").stdout.splitlines()
    commands = [line.partition("harness ")[2] for line in lines if "bin/harness" in line]
    assert [command.split()[0] for command in commands] == ["run", "run", "score", "report"]


def test_another_torch_index_is_asked_for_torch_alone(tmp_path: Path) -> None:
    lines = make(tmp_path, "--dry-run", "TORCH_INDEX=INDEX", ".venv/installed").stdout.splitlines()
    installs = [line for line in lines if "pip install" in line]
    assert installs[0].endswith("--index-url INDEX torch")
    assert "INDEX" not in installs[1]


@pytest.mark.parametrize(("flags", "is_for_a_card"), [("", True), ("--small --out small", False)])
def test_jax_for_a_card_is_installed_for_a_card_alone(
    tmp_path: Path, flags: str, is_for_a_card: bool
) -> None:
    output = make(tmp_path, "--dry-run", "gpu", f"GPU_FLAGS={flags}").stdout
    assert ("jax-cuda" in output) == is_for_a_card
    assert f"benchmarks/gpu.py {flags}".rstrip() in output
