"""The modules that an AlgoPerf submission can import in its worker: AlgoPerf's and its own.

AlgoPerf's package is `algoperf` or, before version 0.6, `algorithmic_efficiency`. Here it consists
of the few modules that submissions need. They are put into `sys.modules` only in a worker that
loads a submission written for AlgoPerf.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from harness.core.errors import HarnessError
from harness.submission.algoperf import spec
from harness.submission.entry import module_of
from harness.submission.files import read_folder
from harness.submission.imports import imported_names

PACKAGES = ("algoperf", "algorithmic_efficiency")
"""The names of AlgoPerf's package, from version 0.6 on and before."""
REQUIRED_FUNCTIONS = ("init_optimizer_state", "update_params", "data_selection")
"""The functions that every submission must have. `prepare_for_eval` is optional, as it came later;
`get_batch_size` is not called, as it knows only AlgoPerf's workloads."""
Members = Mapping[str, object]
"""The content of a module, by name."""


def load_module(
    file: Path, utilities: Mapping[str, Members], stand_ins: Mapping[str, Members]
) -> ModuleType:
    """Import a submission's file, after putting AlgoPerf's modules into `sys.modules`.

    Args:
        file: the submission's file, in the copy of its folder.
        utilities: AlgoPerf's modules other than `spec`, by name.
        stand_ins: replacements for modules that submissions barely use, where not installed.

    Raises:
        HarnessError: it lacks a function that AlgoPerf calls.
    """
    for package in PACKAGES:
        _enter(package, {"__path__": []})
        for name, members in {"spec": vars(spec), **utilities}.items():
            _enter(f"{package}.{name}", members)
    for name, members in stand_ins.items():
        if _is_missing(name):
            _enter(name, members)
    for name, path in _own_packages(file.parent):
        _enter(name, {"__path__": path})
    module = module_of(file)
    missing_names = [
        name for name in REQUIRED_FUNCTIONS if not callable(getattr(module, name, None))
    ]
    if missing_names:
        raise HarnessError(
            f"{file.name} has no function {' and no '.join(missing_names)}",
            f"an AlgoPerf submission has: {', '.join(REQUIRED_FUNCTIONS)}",
        )
    return module


def _enter(name: str, members: Members) -> None:
    """Put a module into `sys.modules` and make it an attribute of its package."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package="__path__" in members)
    vars(module).update({key: of for key, of in members.items() if key not in vars(module)})
    sys.modules[name] = module
    package, _, last = name.rpartition(".")
    if package in sys.modules:
        setattr(sys.modules[package], last, module)


def _own_packages(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The packages by which a submission imports its own files, and where each looks.

    AlgoPerf imports a submission by its path in a repository, and some import their helpers that
    way: `submissions.self_tuning.NAME.helper`. Here such a path leads to the folder, wherever it
    is.
    """
    packages: set[str] = set()
    for name in sorted(imported_names(read_folder(folder))):  # a module before what it holds
        parts = name.split(".")
        is_own = (length for length in range(1, len(parts)) if _is_in(folder, parts[length:]))
        length = next(is_own, None)
        if length is None or name.rpartition(".")[0] in packages:
            continue
        packages.add(name)
        if not _is_missing(name):
            continue
        for end in range(1, length):
            if _is_missing(above := ".".join(parts[:end])):
                yield above, []
        yield ".".join(parts[:length]), [str(folder)]


def _is_in(folder: Path, parts: list[str]) -> bool:
    path = folder.joinpath(*parts)
    return path.with_suffix(".py").is_file() or path.is_dir()


def _is_missing(name: str) -> bool:
    try:
        return find_spec(name) is None
    except ModuleNotFoundError:  # a package above it
        return True
