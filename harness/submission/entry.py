"""The entry of a submission: what an import path or a file holds.

A folder's or file's submission is imported as a module of its own package, whose path is its
folder: siblings are imported relatively, `from .helper import x`. Nothing is put on `sys.path`, so
two submissions with equally named helpers do not meet. What a submission raises, on import or
later, passes through as it is.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Collection
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Protocol, SupportsFloat, cast

from harness.core.errors import HarnessError, UnknownNameError
from harness.providers.table import SUBMISSIONS_ROOT
from harness.submission.interface import Hyperparameters, Problem, Stream
from harness.submission.options import AROUND
from harness.submission.parametrisation import RULES
from harness.submission.state import ArrayT

IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")

_SYNONYMS = {
    "learning_rate": ("lr", "alpha", "eta", "step_size"),
    "weight_decay": ("wd", "decay", "weight_decay_rate"),
}
"""What optimizer classes call these instead."""

_AROUND = frozenset({*AROUND, "horizon", "rest_cooldown"})
"""What the harness does around the optimizer: no class need take it, and no `**kwargs` gets it."""

_LEFT_OUT = "weight_decay"
"""What is left out for a class that does not take it; `harness run` then says so."""

Build = Callable[..., object]
"""`build(problem, hyperparameters)`; what it returns is checked by the framework it is for."""


class BareSubmission(Protocol[ArrayT]):
    """What is required of an author's class."""

    def setup(self, problem: Problem[ArrayT], hyperparameters: Hyperparameters) -> None:
        """See `harness.submission.interface.Submission`."""
        ...

    def step(self, stream: Stream[ArrayT]) -> SupportsFloat | None:
        """See `harness.submission.interface.Submission`."""
        ...


def is_import_path(location: str) -> bool:
    """Whether a location reads `module:Class` and is no path."""
    return IMPORT_PATH.fullmatch(location) is not None and not Path(location).exists()


def import_object(location: str) -> object:
    """What an import path `module:Class` or `module:part.Class` stands for.

    Raises:
        HarnessError: the module is not installed, or has nothing of that name.
    """
    module_name, _, name = location.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise HarnessError(
            f"'{location}': no module '{error.name}' is installed",
            "install the package that has it, whose name may be another",
        ) from error
    return _attribute(module, f"module {module_name}", name)


def _attribute(holder: object, label: str, name: str) -> object:
    """What a dotted name stands for in a module."""
    value = holder
    for part in name.split("."):
        if not hasattr(value, part):
            names = [names for names in dir(value) if not names.startswith("_")]
            raise UnknownNameError(f"name in {label}", part, names)
        value, label = getattr(value, part), f"{label.removeprefix('module ')}.{part}"
    return value


def search_first(folder: str) -> None:
    """Let imports of top-level modules look into a folder before anywhere else."""
    sys.path.insert(0, folder)
    importlib.invalidate_caches()


def check_origin(folder: str) -> None:
    """Check that the modules whose copies are in a folder, where imported, came from there.

    Raises:
        HarnessError: one came from elsewhere, whatever its files are.
    """
    for file in sorted(Path(folder).rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        module = sys.modules.get(name)
        origin = getattr(module, "__file__", None)
        places = [origin, *getattr(module, "__path__", [])] if origin else []
        if other := next((p for p in places if not Path(p).is_relative_to(folder)), None):
            raise HarnessError(
                f"'{name}' was imported from {other}, and not from the copy that was hashed",
                "the import hook of an editable install came first: install it without -e",
            )


def submission_file(location: str, file_name: str) -> Path:
    """The file of a submission: `location` itself, or `file_name` in the folder it names.

    A relative location is looked for where the package lies, then in the working directory.

    Raises:
        HarnessError: there is no such folder or file, or the folder lacks the file.
    """
    for path in (SUBMISSIONS_ROOT.parent / location, Path(location).absolute()):
        if path.is_dir():
            if not (path / file_name).is_file():
                raise HarnessError(
                    f"submission folder {path} has no {file_name}",
                    "choose the framework it is written for with --framework",
                )
            return path / file_name
        if path.is_file():
            return path
    raise HarnessError(
        f"no submission at '{location}'",
        "give a folder, a file, or an import path such as torch.optim:AdamW",
    )


def module_of(file: Path) -> ModuleType:
    """Import a file as a module of a package whose path is the file's folder."""
    package_name = f"submission_{sha256(str(file.parent).encode()).hexdigest()[:12]}"
    if package_name not in sys.modules:
        package = ModuleType(package_name, "The folder of a submission.")
        package.__path__ = [str(file.parent)]
        sys.modules[package_name] = package
    name = f"{package_name}.{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise HarnessError(f"{file} is not a python file", "a submission's file ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_entry(module: ModuleType, file: Path) -> Build | type[BareSubmission[ArrayT]]:
    """The entry of a submission's module: its class `Submission` or its function `build`.

    Raises:
        HarnessError: the module has neither, or the class lacks `setup` or `step`.
    """
    if hasattr(module, "Submission"):
        return complete_class(module.Submission, str(file))
    if hasattr(module, "build"):
        build: Build = module.build
        return build
    raise HarnessError(
        f"{file} has neither a function 'build' nor a class 'Submission'",
        "write build(problem, hyperparameters), or a class with setup and step",
    )


def complete_class(kind: type[object], place: str) -> type[BareSubmission[ArrayT]]:
    """A class, if it has what is required of a submission's.

    Raises:
        HarnessError: it has not.
    """
    missing_names = [name for name in ("setup", "step") if not callable(getattr(kind, name, None))]
    if missing_names:
        raise HarnessError(
            f"{place}: class '{kind.__name__}' has no method {' and no '.join(missing_names)}",
            "required are setup(problem, hyperparameters) and step(stream)",
        )
    return cast("type[BareSubmission[ArrayT]]", kind)


def rules_of(module: ModuleType) -> Collection[str]:
    """The rules of parametrisation that fit a module's `build`; all, if it names none."""
    rules: Collection[str] = getattr(module, "PARAMETRISATION_RULES", RULES)
    return rules


def arguments(
    function: Callable[..., object], hyperparameters: Hyperparameters, rate_name: str
) -> dict[str, object]:
    """Those hyperparameters that a function takes, under the names by which it takes them.

    Args:
        function: makes an optimizer.
        hyperparameters: the point.
        rate_name: what the framework's own optimizers call the learning rate; a function that
            passes everything on (`**kwargs`) gets it under this name.

    Raises:
        HarnessError: it does not take what is set or searched, which would then have no effect.
    """
    parameters = inspect.signature(function).parameters
    passes_on = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    keywords: dict[str, object] = {}
    for name in hyperparameters:
        synonyms = (name, *_SYNONYMS.get(name, ()))
        argument = next((synonym for synonym in synonyms if synonym in parameters), None)
        if argument is None and passes_on and name not in _AROUND:
            argument = rate_name if name == "learning_rate" else name
        if argument is not None:
            keywords[argument] = hyperparameters[name]
        elif name not in _AROUND and name != _LEFT_OUT:
            raise HarnessError(
                f"{getattr(function, '__name__', function)} takes no {name.replace('_', ' ')}; it "
                f"takes: {', '.join(parameters) or 'nothing'}",
                "write build(problem, hyperparameters) with a space.toml of what it does take",
            )
    return keywords
