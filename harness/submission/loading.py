"""The doors of a submission, as far as they are the same in every framework.

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
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.core.errors import HarnessError, UnknownNameError
from harness.providers.registry import SUBMISSIONS
from harness.submission.interface import Hyperparameters
from harness.submission.parametrisation import RULES, check_rule

IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
DEFAULT_HORIZON = 0.75
"""The share of the budget over which a schedule runs, where the point does not say."""


def is_import_path(location: str) -> bool:
    """Whether a location reads `module:Class` and is no path."""
    return IMPORT_PATH.fullmatch(location) is not None and not Path(location).exists()


def imported(location: str) -> Any:
    """What an import path `module:Class` stands for.

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
            f"install it, for example: pip install {error.name.partition('.')[0]}",
        ) from error
    if not hasattr(module, name):
        known = [name for name in vars(module) if not name.startswith("_")]
        raise UnknownNameError(f"name in module {module_name}", name, known)
    return getattr(module, name)


def submission_file(location: str, file_name: str) -> Path:
    """The file of a submission: `location` itself, or `file_name` in the folder it names.

    A relative location is looked for where the package lies, then in the working directory.

    Raises:
        HarnessError: there is no such folder or file, or the folder lacks the file.
    """
    for path in (SUBMISSIONS.parent / location, Path(location).absolute()):
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


def load_entry(module: ModuleType, file: Path) -> Callable[..., Any] | type[Any]:
    """The entry of a submission's module: its class `Submission` or its function `build`.

    Raises:
        HarnessError: the module has neither, or the class lacks `setup` or `step`.
    """
    if hasattr(module, "Submission"):
        return complete_class(module.Submission, str(file))
    if hasattr(module, "build"):
        build: Callable[..., Any] = module.build
        return build
    raise HarnessError(
        f"{file} has neither a function 'build' nor a class 'Submission'",
        "write build(problem, hyperparameters), or a class with setup and step",
    )


def complete_class(kind: type[Any], place: str) -> type[Any]:
    """A class of door 3, if it has what is required of one."""
    missing = [name for name in ("setup", "step") if not callable(getattr(kind, name, None))]
    if missing:
        raise HarnessError(
            f"{place}: class '{kind.__name__}' has no method {' and no '.join(missing)}",
            "required are setup(problem, hyperparameters) and step(stream)",
        )
    return kind


def check_class(kind: type[Any], hyperparameters: Hyperparameters) -> None:
    """Refuse what stands around an optimizer and cannot stand between the passes of a class.

    Raises:
        HarnessError: the point asks for clipping or a parametrisation, and the class does not say
            that it sees to it, by `clips_gradients` and `parametrisation_rules`.
    """
    clips = bool(getattr(kind, "clips_gradients", False))
    if float(hyperparameters.get("clip", 0.0)) != 0.0 and not clips:
        raise HarnessError(
            "clip is set, and this submission is a class that makes its own passes",
            "set clip = 0.0; a class that clips by itself says so by clips_gradients = True",
        )
    check_rule(hyperparameters, getattr(kind, "parametrisation_rules", ()))


def rules_of(module: ModuleType) -> Collection[str]:
    """The rules of parametrisation that fit a module's `build`; all, if it names none."""
    rules: Collection[str] = getattr(module, "PARAMETRISATION_RULES", RULES)
    return rules


def arguments(function: Callable[..., Any], hyperparameters: Hyperparameters) -> dict[str, Any]:
    """Those hyperparameters that a function takes by name; `learning_rate` may be called `lr`."""
    accepted = inspect.signature(function).parameters
    named = {"lr" if k == "learning_rate" and "lr" in accepted else k: v
             for k, v in hyperparameters.items()}  # fmt: skip
    return {name: value for name, value in named.items() if name in accepted}


def schedule_state(schedule: Any) -> dict[str, Any]:
    """The state of a schedule that has one, such as one that counts its calls."""
    state: dict[str, Any] = schedule.state_dict() if hasattr(schedule, "state_dict") else {}
    return state


def load_schedule_state(schedule: Any, state: Mapping[str, Any]) -> None:
    """Take back what `schedule_state` gave."""
    if hasattr(schedule, "load_state_dict"):
        schedule.load_state_dict(state)


class CompletedSubmission:
    """A class of door 3 with what it left out filled in.

    Left out, `eval_parameters` gives `problem.parameters`, `learning_rate` gives None, and the
    state is the parameters alone: resumed, such a submission starts its own state anew.

    Args:
        inner: an instance of the submission's class.
        assign: puts parameters back into `problem.parameters`.
        prepare: called before `setup` with the problem and the point; it gives the parameters the
            start that the point asks for.
    """

    def __init__(
        self,
        inner: Any,
        assign: Callable[[Any, Mapping[str, Any]], None],
        prepare: Callable[[Any, Hyperparameters], None],
    ) -> None:
        self.inner = inner
        self._prepare = prepare
        self._assign = assign
        self._problem: Any = None
        self.step: Callable[[Any], Any] = inner.step
        self.averages_weights = bool(getattr(inner, "averages_weights", False))
        for name in ("eval_parameters", "learning_rate", "state_dict", "load_state_dict"):
            if hasattr(inner, name):
                setattr(self, name, getattr(inner, name))

    def setup(self, problem: Any, hyperparameters: Hyperparameters) -> None:
        """Set the submission up.

        Raises:
            HarnessError: the point asks for what the class does not say that it does.
        """
        self._problem = problem
        check_class(type(self.inner), hyperparameters)
        self._prepare(problem, hyperparameters)
        self.inner.setup(problem, hyperparameters)

    def eval_parameters(self) -> Mapping[str, Any]:
        """The live parameters."""
        parameters: Mapping[str, Any] = self._problem.parameters
        return parameters

    def learning_rate(self) -> float | None:
        """Unknown."""
        return None

    def state_dict(self) -> Mapping[str, Any]:
        """The parameters."""
        return {"parameters": dict(self._problem.parameters)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the parameters back."""
        self._assign(self._problem, state["parameters"])
