"""Finds a module's file without importing the module or any package that it is in."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


def spec_of(name: str, beside: Path | None = None) -> ModuleSpec | None:
    """The spec of a module or package, as an import would find it, without running any of it.

    `importlib.util.find_spec` would import the parents of a dotted name, which may be untrusted.

    Args:
        name: dotted or not.
        beside: a folder that is searched last, such as the working directory.
    """
    spec: ModuleSpec | None = None
    path: Sequence[str] | None = None
    parts = name.split(".")
    for number in range(len(parts)):
        spec = _find_spec(".".join(parts[: number + 1]), path)
        if spec is None and number == 0 and beside is not None:
            spec = PathFinder.find_spec(parts[0], [str(beside)])
        if spec is None:
            return None
        locations = spec.submodule_search_locations
        path = list(locations) if locations is not None else []
    return spec


def _find_spec(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """The spec of the first finder that knows the name; an editable install has its own finder."""
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find(name, path) if find else None
        if spec is not None:
            return spec
    return None
