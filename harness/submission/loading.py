"""Loads a submission, for each way to write one and each framework."""

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
"""The default of `horizon`: the fraction of the budget over which a schedule runs."""


@dataclass(frozen=True)
class Loader(Generic[ArrayT]):
    """A framework's part in loading a submission."""

    file_name: str
    """The file in a submission's folder for this framework."""
    description: str
    """The kind of object that an import path should name."""
    example: str
    """The hint of the error if it names something else."""
    builder_of: Callable[[object, Hyperparameters], Build | None]
    """Makes a `build` for the optimizer that an object is; None if it is none."""
    from_build: Callable[[Build, str, Collection[str]], Submission[ArrayT]]
    """Makes a submission from a `build`, its location and the parametrisation rules it supports."""
    prepare: Callable[[Problem[ArrayT], Hyperparameters], None]
    """Sets the initial parameters that a point asks for, before an author's class is set up."""
    arithmetic: Arithmetic[ArrayT]

    def load(self, location: str, hyperparameters: Hyperparameters) -> Submission[ArrayT]:
        """Load the submission at an import path, in a folder or in a file; it is not set up yet.

        Raises:
            HarnessError: there is none for this framework. The submission's own exceptions pass
                through.
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
        raise HarnessError(f"'{location}' is not a {self.description}", self.example)

    def _of_file(self, location: str) -> Submission[ArrayT]:
        file = submission_file(location, self.file_name)
        module = module_of(file)
        entry: Build | type[BareSubmission[ArrayT]] = load_entry(module, file)
        if isinstance(entry, type):
            return self._complete(entry())
        return self.from_build(entry, str(file), rules_of(module))

    def _complete(self, inner: BareSubmission[ArrayT]) -> Submission[ArrayT]:
        return CompletedSubmission(inner, self.prepare)
