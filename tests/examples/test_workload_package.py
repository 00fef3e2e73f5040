"""The package that `harness new --workload` writes; `examples/teacher` is one of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.authoring.workload import new_workload
from harness.core.errors import HarnessError

EXAMPLE = Path(__file__).parents[2] / "examples" / "teacher"


def texts(folder: Path) -> dict[str, str]:
    files = [
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in str(path)
    ]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, data_cache: Path) -> dict[str, str]:
    """The environment of a command where the written package is installed."""
    folder = tmp_path_factory.mktemp("package")
    new_workload("valley", folder)
    place = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    flags = ["--no-build-isolation", "--target", str(place), str(folder / "valley")]
    subprocess.run([*pip, *flags], check=True, capture_output=True)
    paths = (str(place), os.environ.get("PYTHONPATH", ""))
    joined = os.pathsep.join(filter(None, paths))
    return os.environ | {"PYTHONPATH": joined, "XDG_CACHE_HOME": str(data_cache)}


def harness(environment: dict[str, str], folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "harness", *words]
    process = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return process.stdout + process.stderr


def test_the_example_is_what_the_command_writes(tmp_path: Path) -> None:
    new_workload("teacher", tmp_path)
    assert texts(tmp_path / "teacher") == texts(EXAMPLE)


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_once_installed_its_target_is_reached(
    environment: dict[str, str], tmp_path: Path, framework: str
) -> None:
    words = ["--submission", "adamw", "--workload", "valley", "--framework", framework]
    output = harness(environment, tmp_path, "run", *words, "--studies", "1", "--trials", "1")
    assert "reached loss" in output, output
    assert "adamw" in harness(environment, tmp_path, "score", "runs/valley")


def test_names_that_are_taken_or_no_modules_are_refused(tmp_path: Path) -> None:
    for name in ("mlp", "quick", "my-problem", "json"):
        with pytest.raises(HarnessError):
            new_workload(name, tmp_path)
    assert not list(tmp_path.iterdir())
