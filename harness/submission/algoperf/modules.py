"""The modules that an AlgoPerf submission imports, and its own, as its worker sees them.

`algoperf` and, before version 0.6, `algorithmic_efficiency` are AlgoPerf itself; here they are the
few modules that submissions need of it. They are entered in `sys.modules` when a submission that
is written for AlgoPerf is loaded, in its worker, and nowhere else.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from harness.core.errors import HarnessError
from harness.submission.algoperf import spec
from harness.submission.algoperf.finder import finder_for
from harness.submission.algoperf.location import PACKAGES
from harness.submission.entry import module_of

REQUIRED = ("init_optimizer_state", "update_params", "data_selection")
"""The functions that every submission has; `prepare_for_eval` came later, and the batch size that
`get_batch_size` has for AlgoPerf's workloads is none of ours."""
Members = Mapping[str, object]
"""What a module holds, by name."""


def load_module(
    file: Path, utilities: Mapping[str, Members], stand_ins: Mapping[str, Members]
) -> ModuleType:
    """Import a submission's file, with AlgoPerf's modules in their places.

    Args:
        file: the submission's, in the copy of its folder.
        utilities: modules of AlgoPerf's besides `spec`, by name.
        stand_ins: modules that submissions import for little, for where they are not installed.

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
    if (finder := finder_for(file.parent)) is not None:
        sys.meta_path.insert(0, finder)
    module = module_of(file)
    missing_names = [name for name in REQUIRED if not callable(getattr(module, name, None))]
    if missing_names:
        raise HarnessError(
            f"{file.name} has no function {' and no '.join(missing_names)}",
            f"an AlgoPerf submission has: {', '.join(REQUIRED)}",
        )
    return module


def _enter(name: str, members: Members) -> None:
    """Put a module in its place, and in its package's."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package="__path__" in members)
    vars(module).update({key: of for key, of in members.items() if key not in vars(module)})
    sys.modules[name] = module
    package, _, last = name.rpartition(".")
    if package in sys.modules:
        setattr(sys.modules[package], last, module)


def _is_missing(name: str) -> bool:
    try:
        return find_spec(name) is None
    except ModuleNotFoundError:  # a package above it
        return True
