"""How a submission is loaded, whichever way it is written and for whichever framework."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Generic

from harness.core.errors import HarnessError
from harness.submission.averages import Arithmetic, add_average
from harness.submission.completion import CompletedSubmission
from harness.submission.entry import (
    BareSubmission,
    Build,
    complete_class,
    import_object,
    is_import_path,
    load_entry,
    module_of,
    rules_of,
    submission_file,
)
from harness.submission.interface import Hyperparameters, Problem, Submission
from harness.submission.parametrisation import RULES
from harness.submission.state import ArrayT

DEFAULT_HORIZON = 0.75
"""The fraction of the budget over which a schedule runs, where the point does not say."""


@dataclass(frozen=True)
class Loader(Generic[ArrayT]):
    """What a framework knows of the ways to write a submission."""

    file_name: str
    """The file of a submission's folder that is written for it."""
    description: str
    """What an import path should name."""
    example: str
    """The hint where it names something else."""
    builder_of: Callable[[object, Hyperparameters], Build | None]
    """What builds the optimizer that an import path names; None if it names none."""
    from_build: Callable[[Build, str, Collection[str]], Submission[ArrayT]]
    """The submission of a `build`, of the place where it is written and the rules that fit it."""
    prepare: Callable[[Problem[ArrayT], Hyperparameters], None]
    """Gives the parameters the start that a point asks for, before an author's class is set up."""
    arithmetic: Arithmetic[ArrayT]

    def load(self, location: str, hyperparameters: Hyperparameters) -> Submission[ArrayT]:
        """The submission at an import path, a folder or a file, not yet set up.

        Raises:
            HarnessError: there is none for this framework. What the submission itself raises
                passes through.
        """
        if is_import_path(location):
            inner = self._import_class(location, hyperparameters)
        else:
            inner = self._of_file(location)
        return add_average(inner, hyperparameters, self.arithmetic)

    def _import_class(self, location: str, hyperparameters: Hyperparameters) -> Submission[ArrayT]:
        target = import_object(location)
        build = self.builder_of(target, hyperparameters)
        if build is not None:
            return self.from_build(build, location, RULES)
        if isinstance(target, type) and hasattr(target, "step"):
            return self._complete(complete_class(target, location)())
        raise HarnessError(f"'{location}' is no {self.description}", self.example)

    def _of_file(self, location: str) -> Submission[ArrayT]:
        file = submission_file(location, self.file_name)
        module = module_of(file)
        entry: Build | type[BareSubmission[ArrayT]] = load_entry(module, file)
        if isinstance(entry, type):
            return self._complete(entry())
        return self.from_build(entry, str(file), rules_of(module))

    def _complete(self, inner: BareSubmission[ArrayT]) -> Submission[ArrayT]:
        return CompletedSubmission(inner, self.prepare)
