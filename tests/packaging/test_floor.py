"""The oldest Python is written once; what came after it, where no linter looks, is not used.

vermin and mypy know in which 3.x a function came, not in which release of 3.11. What was added to
3.11 later, mostly as a security fix, is missing where the promised 3.11.0 or Debian's 3.11.2 runs.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FLOOR = PROJECT["project"]["requires-python"].split(",")[0].removeprefix(">=")
FOLDERS = ("harness", "workloads", "submissions", "scoring", "tests", "benchmarks", "docs")
YOUNGER = {
    "extractall": "tarfile's filters came with 3.11.4: use workloads.data.unpack",
    "unpack_archive": "tarfile's filters came with 3.11.4: use workloads.data.unpack",
    "SetReparseDeferralEnabled": "came with 3.11.9",
}
"""Names of functions that a release of 3.11 changed or added."""


def younger(source: str) -> Iterator[str]:
    """The calls in a module that not every 3.11 knows, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (name := getattr(node.func, "attr", "")) in YOUNGER:
            yield f"line {node.lineno}: {name}: {YOUNGER[name]}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_is_called_that_came_after_3_11_0(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    calls = [
        f"{file.relative_to(ROOT)}, {line}" for file in files for line in younger(file.read_text())
    ]
    assert files
    assert not calls


def test_a_filtered_extraction_is_noticed() -> None:
    source = 'with tarfile.open("x") as tar:\n    tar.extractall("y", filter="data")'
    assert [line.partition(": ")[0] for line in younger(source)] == ["line 2"]


def test_mypy_checks_against_the_floor() -> None:
    assert PROJECT["tool"]["mypy"]["python_version"] == FLOOR


@pytest.mark.parametrize("file", ["Makefile", "containers/Dockerfile"])
def test_older_interpreters_are_turned_away(file: str) -> None:
    (lowest,) = re.findall(r"\((3, \d+)\) <= ", (ROOT / file).read_text())
    assert lowest.replace(", ", ".") == FLOOR
