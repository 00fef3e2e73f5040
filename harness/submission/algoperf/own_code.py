"""Find the modules of an AlgoPerf submission that it imports by absolute names.

AlgoPerf imports a submission by its path in a repository whose root is on the import path, and
sometimes a submission's folder or one in it is too: helpers are called
`submissions.self_tuning.NAME.helper` or `helper`. Here a name whose last parts are a path in the
folder is that file, wherever the folder is, and so is a name that is next to the file that imports
it. Any other name is searched next to the folder and in the folders above it, up to the
repository's root. Files found there are counted, hashed and copied with the submission. Modules
that can be imported from elsewhere take precedence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from harness.core.imports import files_run_by_import, reachable_files
from harness.core.modules import spec_of
from harness.submission.algoperf.location import PACKAGES
from harness.submission.files import Contents, read_files
from harness.submission.imports import imported_names
from harness.submission.local_code import IMPORTS
from harness.submission.module_places import is_provided

BESIDE = "_beside"
"""The folder in a submission's copy for modules from outside its own folder."""
LEVELS = 6
"""How many folders above a submission's are searched if none of them is a repository's root."""


def own_places(contents: Contents, is_elsewhere: Callable[[str], bool]) -> dict[str, str]:
    """The absolute names that lead into a submission's folder, each with its path there.

    Args:
        contents: the files of the folder.
        is_elsewhere: whether a name can be imported from elsewhere, which takes precedence.
    """
    places: dict[str, str] = {}
    handled_names: set[str] = set()
    for file in sorted(contents, key=lambda file: (file.count("/"), file)):
        for name in sorted(imported_names({file: contents[file]})):  # a module before what it holds
            if name in handled_names or name.rpartition(".")[0] in handled_names:
                handled_names.add(name)
            elif place := _own_place(contents, name, file):
                handled_names.add(name)
                if not is_elsewhere(name):
                    places |= (place,)
    return places


def is_outside(folder: Path, name: str) -> bool:
    """Whether a name can be imported, other than as a file in the folder."""
    file = _file_of(name)
    return is_provided(name) or (file is not None and not file.is_relative_to(folder.resolve()))


def _own_place(contents: Contents, name: str, importer: str) -> tuple[str, str] | None:
    """The package or module that leads to a name in the folder, and its path there."""
    parts, folders = name.split("."), PurePosixPath(importer).parents
    if parts[0] not in PACKAGES:
        for folder in (PurePosixPath(), *(() if _is_copy(importer) else folders)):
            if _is_in(contents, [*folder.parts, *parts]):
                return parts[0], _path_of(contents, (folder / parts[0]).as_posix())
    for number in range(2 if parts[0] in PACKAGES else 1, len(parts)):
        if _is_in(contents, parts[number:]):
            return ".".join(parts[:number]), ""
    return None


def with_neighbours(contents: Contents, folder: Path) -> Contents:
    """A submission's files and, in `BESIDE`, the modules outside its folder that they import.

    Modules already in that folder, as in a bundle, are not searched again.

    Args:
        contents: the files of the folder.
        folder: the submission's folder.
    """
    copies: dict[str, bytes] = {}
    own = own_places(contents, partial(is_outside, folder))
    waiting, handled_names = sorted(imported_names(contents)), set[str]()
    while waiting:
        name = waiting.pop()
        if name in handled_names or name.partition(".")[0] in PACKAGES or _is_below(name, own):
            continue
        handled_names.add(name)
        if _is_brought(contents, name) or is_provided(name):
            continue
        neighbours = _read_beside(name, folder)
        waiting += sorted(imported_names(neighbours))
        copies |= neighbours
    return {**contents, **copies}


def tops_of(contents: Contents, folder: Path) -> set[str]:
    """The top-level names of all absolute imports of own files and of those in `BESIDE`."""
    places = own_places(contents, partial(is_outside, folder))
    beside = (name.split("/")[1] for name in contents if name.startswith(f"{BESIDE}/"))
    own = {name.partition(".")[0] for name in places}
    return own | {name.removesuffix(".py") for name in beside}


def _read_beside(name: str, folder: Path) -> Contents:
    """The file of a dotted name and the files of its package that it imports; empty if there is
    none.
    """
    parts = name.split(".")
    for root in _roots(folder):
        files = list(files_run_by_import(root, parts))
        leads_there = _leads_to(root.joinpath(*parts), files)
        if leads_there and _file_of(name) in (None, files[-1].resolve()):
            package_files = sorted(reachable_files(root / parts[0], files))
            contents = read_files(root, [f for f in package_files if not f.is_relative_to(folder)])
            return {f"{BESIDE}/{path}": content for path, content in contents.items()}
    return {}


def _file_of(name: str) -> Path | None:
    """The file that an import of a name would run last, if there is one."""
    spec = spec_of(name)
    return Path(spec.origin).resolve() if spec and spec.origin and spec.has_location else None


def _roots(folder: Path) -> Iterator[Path]:
    """The folders from which an import may start, nearest first."""
    for above in (folder, *folder.parents[:LEVELS]):
        if above != folder:
            yield above
        if (above / ".git").exists():
            return


def _leads_to(place: Path, files: list[Path]) -> bool:
    """Whether the last of the files is the package or module at a place."""
    return bool(files) and files[-1] in (place / "__init__.py", place.with_suffix(".py"))


def _is_copy(file: str) -> bool:
    return file.startswith((f"{BESIDE}/", f"{IMPORTS}/"))


def _is_below(name: str, packages: Iterable[str]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def _is_brought(contents: Contents, name: str) -> bool:
    return _is_in(contents, [BESIDE, *name.split(".")])


def _is_in(contents: Contents, parts: list[str]) -> bool:
    path = "/".join(parts)
    return f"{path}.py" in contents or any(file.startswith(f"{path}/") for file in contents)


def _path_of(contents: Contents, top: str) -> str:
    """The path of a top-level module; a package takes precedence over a file."""
    is_file = f"{top}.py" in contents and f"{top}/__init__.py" not in contents
    return f"{top}.py" if is_file else top
