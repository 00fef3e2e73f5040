"""The import finder of a worker for a submission's own files under their names in a repository.

A file is one module, whatever names it is imported by, so that a class is the same object under all
of them.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from harness.core.modules import spec_of
from harness.submission.algoperf.own_code import BESIDE, own_places
from harness.submission.files import read_folder
from harness.submission.local_code import IMPORTS
from harness.submission.module_places import is_provided


class OwnCodeFinder(MetaPathFinder):
    """Finds own modules, those from outside the folder, and the packages that lead to either.

    Args:
        folder: the copy of the submission's folder.
        places: the file or folder of each name that leads into it.
        packages: names of packages that lead to own modules, and of all modules from outside the
            folder.
    """

    def __init__(self, folder: Path, places: Mapping[str, Path], packages: Collection[str]) -> None:
        self._folder, self._places, self._packages = folder, places, packages
        self._first_names: dict[str, str] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The location of a module; None if it is not the submission's."""
        spec = self._find_own(fullname, path, target)
        if spec is None or spec.origin is None:
            return spec
        first = self._first_names.setdefault(spec.origin, fullname)
        if first == fullname or first not in sys.modules:
            return spec
        return ModuleSpec(fullname, _Another(sys.modules[first]), origin=spec.origin)

    def _find_own(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        if (place := self._places.get(name)) is not None:
            return _spec_at(name, place)
        if name in self._packages:
            above = self._folder.joinpath(BESIDE, *name.split(".")[:-1])
            return PathFinder.find_spec(name, [*(path or ()), str(above)], target) or _package(name)
        if any(Path(folder).is_relative_to(self._folder) for folder in path or ()):
            return PathFinder.find_spec(name, path, target)
        return None


class _Another(Loader):
    """Gives another name to a module that is already imported."""

    def __init__(self, module: ModuleType) -> None:
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself."""
        del spec
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing, but for the spec, which the import has replaced."""
        module.__spec__ = self._spec


def finder_for(folder: Path) -> OwnCodeFinder | None:
    """The finder for the copy of a submission's folder; None if it needs none."""
    contents = read_folder(folder)
    own = own_places(contents, partial(_is_elsewhere, folder / IMPORTS))
    places = {name: folder / path for name, path in own.items()}
    beside = [name.removeprefix(f"{BESIDE}/") for name in contents if name.startswith(f"{BESIDE}/")]
    names = {*places, *map(_module_name, beside)}
    packages = {above for name in names for above in _with_those_above(name)}
    packages = {name for name in packages - places.keys() if not is_provided(name)}
    return OwnCodeFinder(folder, places, packages) if packages or places else None


def _is_elsewhere(copies: Path, name: str) -> bool:
    """Whether a module is installed or a copy of a local one, wherever the original lies."""
    spec = spec_of(name)
    is_copy = spec is not None and Path(spec.origin or "/").is_relative_to(copies)
    return is_copy or is_provided(name)


def _module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _with_those_above(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _spec_at(name: str, place: Path) -> ModuleSpec | None:
    if place.is_file():
        return spec_from_file_location(name, place)
    init = place / "__init__.py"
    if init.is_file():
        return spec_from_file_location(name, init, submodule_search_locations=[str(place)])
    return _package(name, str(place))


def _package(name: str, *path: str) -> ModuleSpec:
    """A package without a file of its own, which searches some folders."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [*path]
    return spec
