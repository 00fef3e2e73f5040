"""The code of local modules, found without importing them.

A module is local unless it was installed from a built distribution: it is in the working directory,
on PYTHONPATH or part of an editable install. Its author may edit it at any time. Its files, and
those of the local modules that it imports, are therefore counted, hashed and copied with the
submission.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from harness.core.errors import HarnessError
from harness.submission.distributions import editable_needs
from harness.submission.files import (
    Contents,
    TooLargeError,
    check_size,
    content_size,
    read_files,
    read_folder,
)
from harness.submission.imports import imported_names
from harness.submission.installed_code import imported_by_installed
from harness.submission.module_places import given_anyway, is_installed, module_of, top_of

IMPORTS = "_imports"
"""The folder in a submission's copy that holds the local modules it imports."""
TESTS = ("test_*.py", "conftest.py")
"""Name patterns of files that workers never import."""


def local_code(modules: Iterable[tuple[str, Path]]) -> Contents:
    """The files of local modules and of all local modules that they import, by relative path.

    Args:
        modules: dotted name and path of each module; the path is a file, or a package's folder.

    Raises:
        HarnessError: the files together exceed the size limit, or one is not a regular file.
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
    names: Iterable[str], beside: Path | None = None, available: Iterable[str] = ()
) -> Iterator[tuple[str, Path]]:
    """The names and paths of those modules that are local, in alphabetical order.

    This includes local modules that an installed module declares as a requirement, or imports
    without declaring it. A package counts as one module; of a namespace package, which may
    be spread over several folders, only the modules in `names` count.

    Args:
        names: module names, dotted or top-level.
        beside: a folder that is searched after `sys.path`.
        available: names of further top-level modules that every worker has.
    """
    available_tops = given_anyway().union(available)
    candidates = {name for name in names if top_of(name) not in available_tops}
    candidates |= editable_needs({*map(top_of, candidates)}) - available_tops
    candidates |= imported_by_installed(candidates, available_tops)
    modules = {module for name in candidates if (module := module_of(name, beside)) is not None}
    for name, place in sorted(modules):
        if not is_installed(top_of(name), place):
            yield name, place


def with_imports(contents: Contents, root: Path, available: Iterable[str] = ()) -> Contents:
    """A submission's files, plus the local modules that they import in the folder `IMPORTS`.

    Modules already in that folder, as in an unpacked bundle, are kept as they are.

    Args:
        contents: the submission's own files, by relative path.
        root: the submission's folder, named in errors.
        available: names of further top-level modules that every worker has.

    Raises:
        HarnessError: the files together exceed the size limit, or one is not a regular file.
    """
    code = {name: text for name, text in contents.items() if not _is_test(name)}
    own = {PurePosixPath(PurePosixPath(name).parts[1]).stem for name in copies_of(contents)}
    copies = local_code(local_modules(imported_names(code), available=(*available, *own)))
    both = {**contents, **{f"{IMPORTS}/{name}": text for name, text in copies.items()}}
    check_size(root, content_size(both))
    return both


def copies_of(contents: Contents) -> list[str]:
    """The relative paths of those files of a submission that are copies of local modules."""
    return [name for name in contents if name.startswith(f"{IMPORTS}/")]


def _is_test(name: str) -> bool:
    return any(PurePosixPath(name).match(pattern) for pattern in TESTS)


def _without_links(place: Path) -> Path:
    """The real path of a module; a strict editable install is a folder of symbolic links."""
    init = place / "__init__.py"
    return init.resolve().parent if init.is_symlink() else place.resolve()


def _files_of(name: str, place: Path) -> Contents:
    """A module's files, by the relative paths at which an import finds them."""
    *packages, last = name.split(".")
    if place.is_file():
        above, files = packages, read_files(place.parent, [place])
    else:
        above, files = [*packages, last], read_folder(place)
    return {"/".join([*above, file]): content for file, content in files.items()}
