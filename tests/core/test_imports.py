"""Which files of a package code can reach by its imports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.core.imports import imports_of, reachable_files

PACKAGE = {
    "__init__.py": "from house import cellar\n",
    "attic.py": "from house.kitchen import stove\n",
    "cellar.py": "",
    "kitchen/__init__.py": "",
    "kitchen/stove.py": "def light():\n    from .. import garden\n",
    "kitchen/sink.py": "import house.kitchen.stove\nimport numpy\n",
    "garden.py": "from house.shed.tools import saw\nfrom house.attic import roof\n",
    "shed/tools.py": "",
}
SHED = {"shed/tools.py"}
"""A folder without `__init__.py`, which can be imported from all the same."""


def reach(root: Path, *start: Path) -> set[str]:
    return {file.relative_to(root).as_posix() for file in reachable_files(root, start)}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return write(tmp_path / "house", PACKAGE)


def write(folder: Path, texts: Mapping[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_imports_are_followed_also_inside_of_functions_and_in_circles(house: Path) -> None:
    files = reach(house, house / "attic.py")
    assert files == {"attic.py", "kitchen/__init__.py", "kitchen/stove.py", "garden.py", *SHED}


def test_files_of_an_earlier_call_are_not_followed_again(house: Path) -> None:
    earlier_files = reachable_files(house, [house / "attic.py"])
    sink = house / "kitchen/sink.py"
    assert reachable_files(house, [sink], earlier_files) == {sink}


BLOCKS = """
if x: import a
else: import b
try: import c
except OSError: import d
else: import e
finally: import f
for y in x: import g
with x:
    while x: import h
match x:
    case 1: import i
class A:
    async def b(self): import j
"""


def test_imports_in_all_kinds_of_blocks_count() -> None:
    names = {alias.name for node in imports_of(BLOCKS.encode()) for alias in node.names}
    assert names == set("abcdefghij")


def test_what_nothing_imports_is_left_out(house: Path) -> None:
    assert "cellar.py" not in reach(house, house / "kitchen/sink.py")


def test_code_from_elsewhere_reaches_in(house: Path, tmp_path: Path) -> None:
    guest = tmp_path / "guest.py"
    guest.write_text("import house.kitchen.sink\n")
    files = reachable_files(house, [guest]) - {guest}
    assert house / "kitchen/stove.py" in files
    assert house / "kitchen/sink.py" in files


def test_a_file_that_does_not_parse_reaches_nothing(house: Path) -> None:
    (house / "cellar.py").write_text("import house.garden (\n")
    assert reach(house, house / "cellar.py") == {"cellar.py"}
