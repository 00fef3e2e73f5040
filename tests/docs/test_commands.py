"""Every command in README and docs: `harness` parses it, `make` has it, or a reason is given."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from harness.cli.app import app
from harness.providers.registry import submission_folders, suite_names, workload_names
from harness.submission.space import parse_space

from .pages import PAGES, ROOT, commands, fenced_blocks, mentioned_commands

NOT_RUN = {
    "apptainer build guided-descent.sif containers/apptainer.def": "needs Apptainer; its files are "
    "compared with the Dockerfile's in tests/packaging/test_containers.py",
    "apptainer run guided-descent.sif run --workload mlp --submission muon "
    "--out runs/mine": "likewise",
    "pip install .": "would change the environment that the tests run in",
    "pip install --editable ./NAME": "tests/examples installs what `harness new` writes",
    "pre-commit install": "would change the repository's hooks",
    "python benchmarks/scoring_speed.py --logs LOGS/external_tuning": "needs published logs",
    "python benchmarks/validity.py --logs LOGS/external_tuning --write docs/SCORING.md": "likewise",
    "python benchmarks/validity_runs.py --studies 3 --trials 1 --default-point "
    "--write docs/SCORING.md": "trains for ten minutes",
    "python benchmarks/validity_ports.py --write docs/SCORING.md": "likewise",
    "python benchmarks/validity_coverage.py --write docs/SCORING.md": "computes for minutes",
}
PYTHON_LINES = sorted(
    {*(c for c in commands() if c.startswith("python")), *mentioned_commands("python")}
)


def subcommand(arguments: list[str]) -> tuple[Any, list[str]]:
    """The command that the first words name, and the other words."""
    command: Any = get_command(app)
    while hasattr(command, "commands") and not arguments[0].startswith("-"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    return command, arguments


def benchmark_code(file: Path) -> str:
    """The text of a benchmark and of the modules beside it that it imports."""
    text = file.read_text()
    beside = {
        file.with_name(f"{name}.py") for name in re.findall(r"^from (\w+) import", text, re.M)
    }
    return text + "".join(module.read_text() for module in beside if module.exists())


def is_placeholder(name: str) -> bool:
    """Whether a name stands for the reader's own: NAME, W, or a path."""
    return name.isupper() or "/" in name


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("harness")])
def test_harness_parses_the_command(line: str) -> None:
    command, arguments = subcommand(shlex.split(line)[1:])
    values = command.make_context(line, arguments).params
    for kind, names_known in (("workload", workload_names()), ("suite", suite_names())):
        choices = values.get(kind) or ()
        names = [choices] if isinstance(choices, str) else choices
        assert all(is_placeholder(name) or name in names_known for name in names)
    submission = values.get("submission") or "NAME"
    if submission.startswith("algoperf:"):
        assert is_placeholder(submission.removeprefix("algoperf:"))
    elif ":" in submission:
        module, _, name = submission.partition(":")
        assert hasattr(import_module(module), name)
    else:
        assert is_placeholder(submission) or submission in submission_folders()


@pytest.mark.parametrize("line", mentioned_commands("harness"))
def test_harness_has_the_command_and_flags_of_a_mention(line: str) -> None:
    command, arguments = subcommand(line.split()[1:])
    flags = {flag for parameter in command.params for flag in parameter.opts} | {"--help"}
    assert {word for word in arguments if word.startswith("--")} <= flags


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    "line", sorted({*(c for c in commands() if c.startswith("make")), *mentioned_commands("make")})
)
def test_make_has_the_target(line: str, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    words = ["make", "--dry-run", *shlex.split(line)[1:]]
    subprocess.run(words, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, check=True)


@pytest.mark.parametrize(
    "line", [line for line in PYTHON_LINES if line.split()[1].startswith("benchmarks/")]
)
def test_a_benchmark_is_there_and_has_the_flags(line: str) -> None:
    _, file, *arguments = line.split()
    code = benchmark_code(ROOT / file)
    assert all(f'"{word}"' in code for word in arguments if word.startswith("--"))


def test_every_other_command_has_a_reason_not_to_run() -> None:
    checked = ("harness", "make")
    assert {line for line in commands() if line.split()[0] not in checked} <= NOT_RUN.keys()


def test_every_search_space_shown_is_one() -> None:
    spaces = [text for page in PAGES for text in fenced_blocks(page, "toml") if "[default]" in text]
    assert len(spaces) >= 2
    for text in spaces:
        assert parse_space(text).space
