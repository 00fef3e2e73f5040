"""The code of modules that are not installed from a built distribution, found without importing it.

A module in the working directory or on PYTHONPATH and one of an editable install lie in their
author's folder, where they may change. Their files, and those of the local modules that they
import, are counted, hashed and copied like a submission's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path, PurePosixPath
from site import getsitepackages, getusersitepackages

from harness.core.errors import HarnessError
from harness.core.modules import spec_of
from harness.providers.table import FRAMEWORKS
from harness.submission.distributions import editable_needs, owners_of
from harness.submission.files import (
    Contents,
    TooLargeError,
    check_size,
    content_size,
    read_files,
    read_folder,
)
from harness.submission.imports import imported_names

OURS = frozenset({"harness", "workloads", "submissions", "scoring", "experiments"})
"""What a worker has anyway, hashed as the harness."""
IMPORTS = "_imports"
"""The folder of a submission's copy with the local modules that it imports."""
TESTS = ("test_*.py", "conftest.py")
"""Files of a submission that no worker imports."""


def place_of(spec: ModuleSpec) -> Path | None:
    """The folder of a package, the file of a module; None for a package in several places."""
    if spec.origin is None or not spec.has_location:
        return None
    file = Path(spec.origin)
    return file.parent if spec.submodule_search_locations is not None else file


def local_code(modules: Iterable[tuple[str, Path]]) -> Contents:
    """The files of local modules and of the local modules that they import.

    Args:
        modules: name and place of each.

    Raises:
        HarnessError: together they are more than the limit, or something else than files.
    """
    contents: dict[str, bytes] = {}
    waiting = [*modules]
    names = {name for name, _ in waiting}
    while waiting:
        name, place = waiting.pop()
        try:
            files = _files_of(name, _without_links(place))
            contents |= files
            check_size(place, content_size(contents))
        except TooLargeError as error:
            raise HarnessError(
                error.message,
                f"'{name}' is not installed from a built distribution, so all of its files are "
                "counted; install it without -e (pip install .), or give a folder with what is "
                "needed",
            ) from error
        for other in local_modules(imported_names(files), place.parent):
            if other[0] not in names:
                names.add(other[0])
                waiting.append(other)
    return contents


def local_modules(
    names: Iterable[str], beside: Path | None = None, given: Iterable[str] = ()
) -> Iterator[tuple[str, Path]]:
    """Which modules are local, by name, and where each lies; so are those that installed ones need.

    A package is one module, unless it lies in several places: then it is what is asked for in it.

    Args:
        names: dotted or not.
        beside: a folder that an import searches last.
        given: names of top-level modules that a worker has anyway.
    """
    skipped = {*given, *OURS, *FRAMEWORKS.names, *sys.stdlib_module_names}
    asked = {name for name in names if _top_of(name) not in skipped}
    asked |= editable_needs({*map(_top_of, asked)}) - skipped
    modules = {module for name in asked if (module := _module_of(name, beside)) is not None}
    for name, place in sorted(modules):
        if not _is_installed(_top_of(name), place):
            yield name, place


def with_imports(contents: Contents, root: Path, given: Iterable[str] = ()) -> Contents:
    """A submission's files, and in `IMPORTS` the local modules that they import.

    Modules that the submission has in that folder already, as a bundle's does, are these.

    Args:
        contents: the submission's own files.
        root: where they lie, for errors.
        given: names of top-level modules that a worker has anyway.

    Raises:
        HarnessError: together they are more than the limit, or something else than files.
    """
    code = {name: text for name, text in contents.items() if not _is_test(name)}
    own = {PurePosixPath(PurePosixPath(name).parts[1]).stem for name in copies_of(contents)}
    copies = local_code(local_modules(imported_names(code), given=(*given, *own)))
    both = {**contents, **{f"{IMPORTS}/{name}": text for name, text in copies.items()}}
    check_size(root, content_size(both))
    return both


def is_provided(name: str) -> bool:
    """Whether a worker has a module without a copy: it is installed, a framework's, or ours."""
    top, spec = _top_of(name), spec_of(name)
    if spec is None or top in {*OURS, *FRAMEWORKS.names, *sys.stdlib_module_names}:
        return spec is not None
    place = place_of(spec)
    places = [place] if place else map(Path, spec.submodule_search_locations or ())
    return all(_is_installed(top, place) for place in places)


def copies_of(contents: Contents) -> list[str]:
    """The files among a submission's that are copies of local modules."""
    return [name for name in contents if name.startswith(f"{IMPORTS}/")]


def _top_of(name: str) -> str:
    return name.partition(".")[0]


def _module_of(name: str, beside: Path | None) -> tuple[str, Path] | None:
    """The first module on the way to a dotted name that lies in one place, if there is one."""
    parts = name.split(".")
    for number in range(1, len(parts) + 1):
        module = ".".join(parts[:number])
        spec = spec_of(module, beside)
        if spec is None:
            return None
        if (place := place_of(spec)) is not None:
            return module, place
    return None


def _is_test(name: str) -> bool:
    return any(PurePosixPath(name).match(pattern) for pattern in TESTS)


def _without_links(place: Path) -> Path:
    """Where a module's files lie: a strict editable install is a folder of links to them."""
    init = place / "__init__.py"
    return init.resolve().parent if init.is_symlink() else place.resolve()


def _files_of(name: str, place: Path) -> Contents:
    """By their paths as an import looks for them: below the folders of the packages they are in."""
    *packages, last = name.split(".")
    if place.is_file():
        above, files = packages, read_files(place.parent, [place])
    else:
        above, files = [*packages, last], read_folder(place)
    return {"/".join([*above, file]): content for file, content in files.items()}


def _is_installed(top: str, place: Path) -> bool:
    real = place.resolve()
    if any(real.is_relative_to(site) for site in _sites()):
        return True
    return bool(owners_of(top, place))


@cache
def _sites() -> tuple[Path, ...]:
    """The folders into which packages are installed, by whatever does that."""
    return tuple(Path(folder).resolve() for folder in (*getsitepackages(), getusersitepackages()))
