"""docs/CLASSES.md against the classes, of packages that are installed in its versions."""

from __future__ import annotations

import re
import runpy
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.execution.base import RunOptions

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "classes.py"
classes = SimpleNamespace(**runpy.run_path(str(SCRIPT)))
PARTS: dict[str, str] = classes.parts_of(classes.PAGE.read_text())
SAMPLE = 3
"""Of each package so many that run and so many that do not are tried again."""


def listed_classes(part: str) -> tuple[list[str], list[str]]:
    """The names that run, and those that are refused."""
    running = part.partition("Run: ")[2].partition("\n")[0]
    return re.findall(r"`(\w+)`", running), re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)


def is_installed(part: str) -> bool:
    match = re.search(r"^Version: (\S+) (\S+)\. ", part, re.MULTILINE)
    try:
        return match is not None and version(match[1]) == match[2]
    except PackageNotFoundError:
        return False


@pytest.mark.parametrize("module", PARTS)
def test_every_class_of_a_package_has_its_line(module: str) -> None:
    if not is_installed(PARTS[module]):
        pytest.skip(f"{module} is not installed in the page's version")
    (package,) = [package for package in classes.PACKAGES if package.module == module]
    running, refusals = listed_classes(PARTS[module])
    assert sorted([*running, *refusals]) == classes.names_of(package)


@pytest.mark.slow
@pytest.mark.parametrize("module", PARTS)
def test_classes_do_what_the_page_says(
    module: str, data_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(SCRIPT.parent)  # where a module may stand for a package
    if not is_installed(PARTS[module]):
        pytest.skip(f"{module} is not installed in the page's version")
    (package,) = [package for package in classes.PACKAGES if package.module == module]
    options = RunOptions(threads=1, cache_dir=data_cache)
    for names, runs in zip(listed_classes(PARTS[module]), (True, False), strict=True):
        for name in names[:SAMPLE]:
            assert classes.row_of(package, name, options).runs is runs, name
