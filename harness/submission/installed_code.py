"""Local code that installed packages import, whether or not their metadata declare it.

An installed package may import a module from its author's folder without declaring it as a
requirement. That module's code runs, so it is counted. Source files are searched and nothing is
imported; a module whose name is computed at run time is not found.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

from harness.core.imports import files_run_by_import, reachable_files
from harness.core.modules import spec_of
from harness.providers.table import FRAMEWORKS
from harness.submission.distributions import tops_of_all
from harness.submission.imports import imported_names
from harness.submission.module_places import (
    has_local_code,
    is_installed,
    is_provided,
    module_of,
    top_of,
)

IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+([\w., \t]+))", re.MULTILINE)
"""Matches the top-level name after `from`, or everything after `import` on its line."""


def imported_by_installed(names: Iterable[str], tops_to_skip: Collection[str]) -> set[str]:
    """The dotted names of local modules that installed modules import, directly or indirectly.

    Args:
        names: names of the modules to start from, dotted or top-level; those not installed are
            ignored.
        tops_to_skip: names of top-level modules whose files are not searched.
    """
    if not has_local_code() or not (names := [name for name in names if _find_installed(name)]):
        return set()
    skip = {*tops_to_skip, *tops_of_all((*FRAMEWORKS.names, "harness"))}
    if not _mentions_local(names, skip):
        return set()
    local, files, handled, waiting = set[str](), set[Path](), set(names), list(names)
    while waiting:
        name = waiting.pop()
        if top_of(name) in skip:
            continue
        if (module := _find_installed(name)) is None:
            local.add(name)
            continue
        new_files = _files_run_by(name, *module, files)
        new = imported_names({str(file): file.read_bytes() for file in new_files}) - handled
        waiting += new
        handled |= new
        files |= new_files
    return local


def _mentions_local(names: Iterable[str], skip: Collection[str]) -> bool:
    """Whether a local module may be imported: a quick check, since the exact search takes seconds.

    It follows every module that any file of a package mentions, and so never misses one.
    """
    handled_tops = {*skip}
    waiting = [*map(top_of, names)]
    while waiting:
        if (top := waiting.pop()) in handled_tops:
            continue
        handled_tops.add(top)
        if module := _find_installed(top):
            waiting += _mentioned_tops(module[1])
        elif spec_of(top) is not None and not is_provided(top):
            return True
    return False


def _find_installed(name: str) -> tuple[str, Path] | None:
    """The module that a dotted name belongs to, and its path, if it is installed."""
    module = module_of(name)
    return module if module and is_installed(top_of(name), module[1]) else None


def _mentioned_tops(place: Path) -> Iterator[str]:
    for file in [place] if place.is_file() else place.rglob("*.py"):
        if file.is_file():
            status = file.stat()
            yield from _mentioned_in(file, status.st_size, status.st_mtime_ns)


@cache
def _mentioned_in(file: Path, *_: int) -> frozenset[str]:
    """The top-level names that a file may import; reread when its size or mtime changes."""
    lines = (one or several for one, several in IMPORT.findall(file.read_bytes()))
    names = (name.split() for line in lines for name in line.decode().split(","))
    tops = (top_of(words[0]) for words in names if words)
    return frozenset(top for top in tops if top.isidentifier())  # prose may match, too


def _files_run_by(name: str, module: str, place: Path, known_files: Collection[Path]) -> set[Path]:
    """The files that run when a name is imported and the files of its package that they import."""
    if place.is_file():
        return {place}.difference(known_files)
    return reachable_files(place, _start(name, module, place), known_files)


def _start(name: str, module: str, package: Path) -> list[Path]:
    """The files of a package that run first when a name in it is imported."""
    below = files_run_by_import(package, name.removeprefix(module).split(".")[1:])
    return [file for file in (package / "__init__.py", *below) if file.is_file()]
