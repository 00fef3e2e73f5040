"""What the harness starts runs the harness's code, and none of the folder where it was called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sandboxes import start

SAYS = "import sys; sys.stdout.write('captured '); sys.stdout.flush()"
PROBE = "harness.sandboxes.kernel.probe"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that would replace a module of Python's, and a package of everybody's."""
    (tmp_path / "selectors.py").write_text(SAYS)
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "__init__.py").write_text(SAYS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def output_of(command: list[str], cwd: str | None, variables: dict[str, str]) -> str:
    process = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=cwd, env=variables
    )
    return process.stdout


@pytest.mark.usefixtures("folder")
def test_a_module_in_the_working_folder_is_not_run() -> None:
    variables = start.environment(dict(os.environ))
    assert output_of(start.command(PROBE), start.FOLDER, variables).startswith("{")


@pytest.mark.usefixtures("folder")
def test_started_as_a_module_it_would_be_run() -> None:
    root = str(Path(start.__file__).parents[2])
    command = [sys.executable, "-m", PROBE]
    assert "captured" in output_of(command, None, os.environ | {"PYTHONPATH": root})


def test_an_empty_entry_of_the_path_is_not_the_working_folder(folder: Path) -> None:
    result = start.environment({"PYTHONPATH": f":packages:{os.pathsep}/elsewhere"})
    assert result == {"PYTHONPATH": f"{folder}/packages:/elsewhere"}


@pytest.mark.usefixtures("folder")
def test_a_checkout_that_is_on_no_path_is_found() -> None:
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = start.command(PROBE)
    command[1:1] = ["-S"]  # nor is anything that is installed
    assert output_of(command, start.FOLDER, variables).startswith("{")
