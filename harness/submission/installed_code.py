"""What installed packages import of local code, whether their metadata declare it or not.

An installed package may import a module that lies in its author's folder without saying that it
needs it: that module's code runs, so it is counted. Texts are searched, nothing is imported; a name
that is made up at run time is not seen.
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
"""The first name after `from`, or all that follows `import` in a line."""


def imported_by_installed(names: Iterable[str], skipped: Collection[str]) -> set[str]:
    """The dotted names of local modules that installed ones import, themselves or through others.

    Args:
        names: of modules, dotted or not.
        skipped: top-level modules that are not looked into.
    """
    if not has_local_code() or not (names := [name for name in names if _installed(name)]):
        return set()
    passed = {*skipped, *tops_of_all((*FRAMEWORKS.names, "harness"))}
    if not _mentions_local(names, passed):
        return set()
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if top_of(name) not in passed and (module := _installed(name)):
            new = {*_imported_by(name, *module)} - found
            waiting += sorted(new)
            found |= new
    return {name for name in found if top_of(name) not in passed and not _installed(name)}


def _mentions_local(names: Iterable[str], passed: Collection[str]) -> bool:
    """Whether a local module may be reached: a wide search, since the exact one takes a second."""
    seen = {*passed}
    waiting = [*map(top_of, names)]
    while waiting:
        if (top := waiting.pop()) in seen:
            continue
        seen.add(top)
        if module := _installed(top):
            waiting += _mentioned_tops(module[1])
        elif spec_of(top) is not None and not is_provided(top):
            return True
    return False


def _installed(name: str) -> tuple[str, Path] | None:
    """The module that a name leads to, and its place, if it is installed."""
    module = module_of(name)
    return module if module and is_installed(top_of(name), module[1]) else None


def _mentioned_tops(place: Path) -> Iterator[str]:
    for file in [place] if place.is_file() else place.rglob("*.py"):
        if file.is_file():
            status = file.stat()
            yield from _mentioned_in(file, status.st_size, status.st_mtime_ns)


@cache
def _mentioned_in(file: Path, *_: int) -> frozenset[str]:
    """What a file may import; it is read again once its size or time has changed."""
    lines = (one or several for one, several in IMPORT.findall(file.read_bytes()))
    names = (name.split() for line in lines for name in line.decode().split(","))
    tops = (top_of(words[0]) for words in names if words)
    return frozenset(top for top in tops if top.isidentifier())  # prose has lines of this kind


def _imported_by(name: str, module: str, place: Path) -> set[str]:
    """The absolute names in the files that importing a name runs."""
    files = {place} if place.is_file() else reachable_files(place, _start(name, module, place))
    return imported_names({str(file): file.read_bytes() for file in files})


def _start(name: str, module: str, package: Path) -> list[Path]:
    """The files of a package that an import of a name runs first."""
    below = files_run_by_import(package, name.removeprefix(module).split(".")[1:])
    return [file for file in (package / "__init__.py", *below) if file.is_file()]
