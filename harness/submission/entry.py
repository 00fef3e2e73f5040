"""Loads a submission's entry point: from an import path or from a file.

A submission in a folder or file is imported as a module of a package whose path is that folder, so
siblings are imported relatively: `from .helper import x`. Nothing is added to `sys.path`, so
helpers of different submissions cannot clash. Exceptions of the submission, on import or later, are
passed through unchanged.
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
from harness.submission.options import AROUND, SYNONYMS
from harness.submission.parametrisation import RULES
from harness.submission.state import ArrayT

IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")

_AROUND = frozenset({*AROUND, "horizon", "rest_cooldown"})
"""Options that the harness applies itself: they are not passed to the class."""

_LEFT_OUT = "weight_decay"
"""The argument that is dropped if a class does not accept it; `harness run` then says so."""

Build = Callable[..., object]
"""`build(problem, hyperparameters)`; its result is checked by its framework."""


class BareSubmission(Protocol[ArrayT]):
    """The methods that an author's class must have."""

    def setup(self, problem: Problem[ArrayT], hyperparameters: Hyperparameters) -> None:
        """See `harness.submission.interface.Submission`."""
        ...

    def step(self, stream: Stream[ArrayT]) -> SupportsFloat | None:
        """See `harness.submission.interface.Submission`."""
        ...


def is_import_path(location: str) -> bool:
    """Whether a location has the form `module:Class`."""
    return IMPORT_PATH.fullmatch(location) is not None and not Path(location).exists()


def import_object(location: str) -> object:
    """Import the object that an import path `module:Class` or `module:part.Class` names.

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
            "install the package that provides it, which may have another name",
        ) from error
    return _attribute(module, f"module {module_name}", name)


def _attribute(holder: object, label: str, name: str) -> object:
    """The object of a dotted name in a module."""
    value = holder
    for part in name.split("."):
        if not hasattr(value, part):
            names = [each for each in dir(value) if not each.startswith("_")]
            raise UnknownNameError(f"name in {label}", part, names)
        value, label = getattr(value, part), f"{label.removeprefix('module ')}.{part}"
    return value


def search_first(folder: str) -> None:
    """Put a folder first on the import path."""
    sys.path.insert(0, folder)
    importlib.invalidate_caches()


def check_origin(folder: str) -> None:
    """Check that imported modules which have a copy in a folder were imported from that copy.

    Raises:
        HarnessError: one was imported from elsewhere, even if its files are the same.
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

    A relative location is looked up beside the installed package, then in the working directory.

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
    """Check that a class has the methods of a submission, and return it.

    Raises:
        HarnessError: it lacks one.
    """
    missing_names = [name for name in ("setup", "step") if not callable(getattr(kind, name, None))]
    if missing_names:
        raise HarnessError(
            f"{place}: class '{kind.__name__}' has no method {' and no '.join(missing_names)}",
            "required are setup(problem, hyperparameters) and step(stream)",
        )
    return cast("type[BareSubmission[ArrayT]]", kind)


def describe_return(value: object) -> str:
    """What a function returned that should return something else, in words."""
    if value is None:
        return "returned nothing"
    kind = value if isinstance(value, type) else type(value)
    return f"returned {'the class ' if kind is value else ''}{kind.__name__}"


def rules_of(module: ModuleType) -> Collection[str]:
    """The parametrisation rules that a module's `build` supports; all, if it names none."""
    rules: Collection[str] = getattr(module, "PARAMETRISATION_RULES", RULES)
    return rules


def arguments(
    function: Callable[..., object], hyperparameters: Hyperparameters, rate_name: str
) -> dict[str, object]:
    """The hyperparameters that a function accepts, under its own argument names.

    Args:
        function: creates an optimizer.
        hyperparameters: a value for each hyperparameter of the point.
        rate_name: the framework's usual name for the learning rate, under which a function with
            `**kwargs` gets it.

    Raises:
        HarnessError: it does not accept a hyperparameter, which would then have no effect, or two
            of them are the same argument.
    """
    parameters = inspect.signature(function).parameters
    passes_on = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    label = getattr(function, "__name__", function)
    keywords, sources = dict[str, object](), dict[str, str]()
    for name in hyperparameters:
        argument = next((a for a in (name, *SYNONYMS.get(name, ())) if a in parameters), None)
        if argument is None and passes_on and name not in _AROUND:
            argument = rate_name if name == "learning_rate" else name
        if argument is not None and argument in keywords:
            raise HarnessError(
                f"{sources[argument]} and {name} are the same argument of {label}, its {argument}",
                "leave out the second: an import path always has learning_rate and weight_decay",
            )
        if argument is not None:
            keywords[argument], sources[argument] = hyperparameters[name], name
        elif name not in _AROUND and name != _LEFT_OUT:
            raise HarnessError(
                f"{label} takes no {name.replace('_', ' ')}; it "
                f"takes: {', '.join(parameters) or 'nothing'}",
                "write build(problem, hyperparameters) with a space.toml of what it does take",
            )
    return keywords
