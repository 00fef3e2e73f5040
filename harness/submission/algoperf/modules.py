"""The modules that an AlgoPerf submission can import in its worker: AlgoPerf's and its own.

AlgoPerf's package is `algoperf` or, before version 0.6, `algorithmic_efficiency`. Here it consists
of the few modules that submissions need. They are put into `sys.modules` only in a worker that
loads a submission written for AlgoPerf.
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
    if (finder := finder_for(file.parent)) is not None:
        sys.meta_path.insert(0, finder)
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


def _is_missing(name: str) -> bool:
    try:
        return find_spec(name) is None
    except ModuleNotFoundError:  # a package above it
        return True
