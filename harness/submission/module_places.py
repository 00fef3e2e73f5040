"""Where a submission's imported modules are, and whether a package manager installed them."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from site import getsitepackages, getusersitepackages

from harness.core.modules import spec_of
from harness.providers.table import FRAMEWORKS, SUBMISSIONS_ROOT
from harness.submission.distributions import owners_of

OURS = frozenset({"harness", "workloads", "submissions", "scoring", "experiments"})
"""Top-level packages of this project: every worker has them, and the harness's hash covers them."""
FINDERS = frozenset(
    {"_frozen_importlib", "_frozen_importlib_external", "_distutils_hack", "_pytest", "six"}
)
"""Top-level modules whose import finders never lead to an author's folder."""


def given_anyway() -> frozenset[str]:
    """The top-level modules that every worker has: Python's, the frameworks' and this project's."""
    return OURS.union(FRAMEWORKS.names, sys.stdlib_module_names)


def top_of(name: str) -> str:
    """The first part of a dotted name."""
    return name.partition(".")[0]


def place_of(spec: ModuleSpec) -> Path | None:
    """The folder of a package or the file of a module; None for a namespace package."""
    if spec.origin is None or not spec.has_location:
        return None
    file = Path(spec.origin)
    return file.parent if spec.submodule_search_locations is not None else file


def module_of(name: str, beside: Path | None = None) -> tuple[str, Path] | None:
    """The outermost module of a dotted name that has a single path, and that path.

    Outer namespace packages, which may be spread over several folders, are passed over.
    """
    parts = name.split(".")
    for number in range(1, len(parts) + 1):
        module = ".".join(parts[:number])
        spec = spec_of(module, beside)
        if spec is None:
            return None
        if (place := place_of(spec)) is not None:
            return module, place
    return None


def is_provided(name: str) -> bool:
    """Whether workers can import a module without a copy: it is installed, or always available."""
    top, spec = top_of(name), spec_of(name)
    if spec is None or top in given_anyway():
        return spec is not None
    place = place_of(spec)
    places = [place] if place else map(Path, spec.submodule_search_locations or ())
    return all(is_installed(top, place) for place in places)


def is_installed(top: str, place: Path) -> bool:
    """Whether the file or folder of a top-level module belongs to a built distribution."""
    real = place.resolve()
    if any(real.is_relative_to(site) for site in _sites()):
        return True
    return bool(owners_of(top, place))


def has_local_code() -> bool:
    """Whether anything can be imported that is neither installed nor always available."""
    standard_folders = (*_sites(), *_pythons())
    folders = (Path(folder).resolve() for folder in sys.path)
    others = (folder for folder in folders if folder.is_dir() and folder != SUBMISSIONS_ROOT.parent)
    if any(not any(folder.is_relative_to(one) for one in standard_folders) for folder in others):
        return True
    finders = (getattr(f, "__module__", type(f).__module__) for f in sys.meta_path)
    return any(top_of(module) not in FINDERS for module in finders)


def _pythons() -> tuple[Path, ...]:
    """The folders of the standard library, and that of scripts, which `sys.path` starts with."""
    names = ("stdlib", "platstdlib", "scripts")
    return tuple(Path(sysconfig.get_path(name)).resolve() for name in names)


@cache
def _sites() -> tuple[Path, ...]:
    """The site-packages folders, whichever package manager fills them."""
    return tuple(Path(folder).resolve() for folder in (*getsitepackages(), getusersitepackages()))
