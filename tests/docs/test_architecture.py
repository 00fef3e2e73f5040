"""docs/ARCHITECTURE.md says what is so: the path of a trial, the rooms, every name in it."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from pkgutil import resolve_name

import pytest

from harness.providers import table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
PATH = re.findall(r"^\| \d+ \| `([\w/]+\.py)` \|", PAGE, re.MULTILINE)
PACKAGES = ("harness", "workloads", "submissions", "scoring", "experiments")
NAMES = sorted(set(re.findall(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)`", PAGE)))
FILES = sorted(set(re.findall(r"`((?:\w+/)+\w+\.\w+)`", PAGE)))


def imports_of(file: str) -> set[str]:
    """The modules that a file imports, those that it imports within a function among them."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    result = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            result |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return result


def module_of(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


def provided_modules() -> set[str]:
    """The modules that are loaded by the names of what ships."""
    kinds = (table.EXECUTORS, table.SANDBOXES)
    return {value.partition(":")[0] for kind in kinds for value in kind.shipped_values.values()}


def test_a_trial_goes_through_at_most_twelve_files() -> None:
    assert 2 <= len(PATH) == len(set(PATH)) <= 12
    assert "harness.runs.run" in imports_of("harness/cli/run.py")


@pytest.mark.parametrize("place", range(1, len(PATH)))
def test_each_file_of_the_path_is_called_by_one_before_it(place: int) -> None:
    called = set[str]().union(*map(imports_of, PATH[:place])) | provided_modules()
    assert module_of(PATH[place]) in called


def test_the_rooms_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c["layers"] for c in contracts["contracts"] if "exhaustive" in c)
    (text,) = re.findall(r"From top\s+to bottom: (.*?)\. `harness\.core` imports", PAGE, re.DOTALL)
    rooms = [re.findall(r"`(\w+)`", layer) for layer in text.split(";")]
    assert rooms == [layer.split(" | ") for layer in layers]


def test_the_table_of_providers_has_every_group() -> None:
    kinds = [value for value in vars(table).values() if isinstance(value, table.Kind)]
    assert set(re.findall(r"^\| `(guided_descent\.\w+)`", PAGE, re.MULTILINE)) == {
        kind.group for kind in kinds
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there(name: str) -> None:
    assert resolve_name(name)


@pytest.mark.parametrize("file", FILES)
def test_every_file_is_there(file: str) -> None:
    assert (ROOT / file).is_file()
