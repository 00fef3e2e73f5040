"""The finder by which a worker imports a submission's own files under the names of a repository."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from harness.submission.algoperf.own_code import BESIDE, own_places
from harness.submission.files import read_folder
from harness.submission.module_places import is_provided


class OwnCodeFinder(MetaPathFinder):
    """Finds own modules, those from beside the folder, and the packages on the way to either.

    Args:
        places: the file or folder of each name that leads into the submission's folder.
        packages: names of what is on the way there, and of all that is below `copies`.
        copies: the folder with what lay beside the submission's.
    """

    def __init__(self, places: Mapping[str, Path], packages: Collection[str], copies: Path) -> None:
        self._places, self._packages, self._copies = places, packages, copies

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module lies; None for all that is not the submission's."""
        if (place := self._places.get(fullname)) is not None:
            return _spec_at(fullname, place)
        if fullname not in self._packages:
            return None
        above = self._copies.joinpath(*fullname.split(".")[:-1])
        found = PathFinder.find_spec(fullname, [*(path or ()), str(above)], target)
        return found or _package(fullname, [])


def finder_for(folder: Path) -> OwnCodeFinder | None:
    """The finder for the copy of a submission's folder; None if it needs none."""
    contents = read_folder(folder)
    places = {name: folder / path for name, path in own_places(contents).items()}
    beside = [name.removeprefix(f"{BESIDE}/") for name in contents if name.startswith(f"{BESIDE}/")]
    names = {*places, *map(_dotted, beside)}
    packages = {above for name in names for above in _with_those_above(name)}
    packages = {name for name in packages - places.keys() if not is_provided(name)}
    return OwnCodeFinder(places, packages, folder / BESIDE) if packages or places else None


def _dotted(path: str) -> str:
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
    return _package(name, [str(place)])


def _package(name: str, path: list[str]) -> ModuleSpec:
    """A package without a file of its own, which looks in some folders."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = path
    return spec
