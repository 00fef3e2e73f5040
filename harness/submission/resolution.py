"""Finds the submission that `--submission X` names: by name, folder, file or `module:Class`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

from harness.core.content import sha256_bytes, sha256_contents
from harness.core.errors import HarnessError, UnknownNameError
from harness.core.imports import reachable_files
from harness.core.names import check_name
from harness.providers.registry import submission_folders
from harness.providers.table import DEFAULT_FRAMEWORK, FRAMEWORKS, SUBMISSIONS_ROOT
from harness.submission.algoperf.location import (
    LEFT_OUT,
    PACKAGES,
    PREFIX,
    SPACE_FILE,
    entry_file,
    is_algoperf,
    name_of,
)
from harness.submission.algoperf.own_code import tops_of, with_neighbours
from harness.submission.algoperf.space import with_tuning_space
from harness.submission.distributions import Versions, versions_of
from harness.submission.files import Contents, read_files, read_folder
from harness.submission.import_path import code_of
from harness.submission.imports import check_syntax, imported_tops, refuse_siblings
from harness.submission.local_code import with_imports
from harness.submission.reference import Framework, SubmissionRef
from harness.submission.space import IMPORT_PATH_SPACE, Space, read_space, space_of
from harness.submission.unknown import unknown_submission


@dataclass(frozen=True)
class ResolvedSubmission:
    """A submission with its reference, search space, frameworks and files."""

    ref: SubmissionRef
    space: Space
    frameworks: tuple[Framework, ...]
    files: str
    """The hash of its files' bytes; the reference's ignores comments and docstrings."""
    contents: Contents
    """The files that are copied for a worker: its own and those of the local modules that they
    import, but not those of installed distributions."""

    @property
    def is_import_path(self) -> bool:
        """Whether it is a class or function of an importable module, without files of its own."""
        return ":" in self.ref.location and not is_algoperf(self.ref.location)

    @cached_property
    def versions(self) -> Versions:
        """Versions of the distributions that its code imports, and of their dependencies."""
        module = self.ref.location.partition(":")[0]
        own = {module.partition(".")[0]} if self.is_import_path else set()
        return versions_of(own | imported_tops(self.contents))

    def require(self, framework: Framework) -> None:
        """Check that it is written for a framework.

        Raises:
            HarnessError: it is not; the message lists its frameworks.
        """
        if framework not in self.frameworks:
            has = ", ".join(self.frameworks)
            raise HarnessError(
                f"submission '{self.ref.name}' has no {framework} version",
                f"it is written for: {has}; choose one with --framework",
            )

    def require_allowed(self, suite: str, workload: str) -> None:
        """Check that its `space.toml` does not refuse a workload.

        Raises:
            HarnessError: it does; the message gives the reason.
        """
        why = self.space.refused.get(f"{suite}/{workload}")
        if why is not None:
            raise HarnessError(
                f"submission '{self.ref.name}' is refused on {workload} of suite {suite}: {why}",
                "a --budget-scale above 1 runs it anyway, unscored",
            )


def resolve(text: str) -> ResolvedSubmission:
    """Find a submission.

    Args:
        text: a known name, the path of a folder or of a `.py` file, `module:Class`, or
            `algoperf:PATH`.

    Raises:
        HarnessError: it is none of these, its name or one of its files is not allowed, it is too
            large, or a file is missing.
    """
    if text in submission_folders():
        return _resolve_named(text, submission_folders()[text])
    if is_algoperf(text):
        return _resolve_algoperf(text)
    if ":" in text:
        return _resolve_import_path(text)
    path = Path(text).expanduser()
    if path.is_dir():
        return _resolve_folder(path.resolve())
    if path.is_file():
        return _resolve_file(path.resolve())
    raise unknown_submission(text)


def file_for(framework: Framework) -> str:
    """The name of the file that a submission's folder holds for a framework."""
    return "submission.py" if framework == DEFAULT_FRAMEWORK else f"submission_{framework}.py"


def _resolve_named(name: str, folder: Path) -> ResolvedSubmission:
    submission = _resolve_folder(folder, name)
    if folder.parent != SUBMISSIONS_ROOT:
        return submission
    location = folder.relative_to(SUBMISSIONS_ROOT.parent).as_posix()
    shared_files = shared_contents(folder)
    content_hash = submission.ref.content_hash[:32] + sha256_contents(shared_files)[:32]
    ref = SubmissionRef(name=name, location=location, content_hash=content_hash)
    return replace(
        submission, ref=ref, files=submission.files[:32] + sha256_bytes(shared_files)[:32]
    )


@cache
def shared_contents(folder: Path) -> Contents:
    """The shared code that a shipped submission imports from outside its folder.

    Args:
        folder: the submission's.
    """
    own = set(folder.rglob("*.py"))
    return read_files(SUBMISSIONS_ROOT, reachable_files(SUBMISSIONS_ROOT, own) - own)


def _resolve_folder(folder: Path, name: str = "") -> ResolvedSubmission:
    name = check_name("submission", name or folder.name)
    contents = read_folder(folder)
    has = [framework for framework in FRAMEWORKS.names if file_for(framework) in contents]
    if not has:
        names = " or ".join(file_for(framework) for framework in FRAMEWORKS.names)
        raise HarnessError(f"{folder} contains no submission", f"it needs {names} and space.toml")
    space = _space_of(contents, folder / "space.toml")
    _check_declared(folder, space, has)
    contents = _with_imports(contents, folder)
    return _resolve_files(name, str(folder), space, tuple(has), contents)


def _resolve_file(file: Path) -> ResolvedSubmission:
    if file.suffix != ".py":
        raise HarnessError(
            f"{file} is not a Python file", "give a folder, a .py file or module:Class"
        )
    name = check_name("submission", file.stem)
    space_file = file.with_name("space.toml")
    contents = read_files(file.parent, [file, *([space_file] if space_file.exists() else [])])
    space = _space_of(contents, space_file)
    refuse_siblings(contents, file.name)
    contents = _with_imports(contents, file)
    return _resolve_files(name, str(file), space, space.frameworks, contents)


def _resolve_files(
    name: str, place: str, space: Space, frameworks: tuple[Framework, ...], contents: Contents
) -> ResolvedSubmission:
    ref = SubmissionRef(name=name, location=place, content_hash=sha256_contents(contents))
    return ResolvedSubmission(ref, space, frameworks, sha256_bytes(contents), contents)


def _with_imports(contents: Contents, place: Path) -> Contents:
    """With the local modules that they import; what ships imports installed ones alone."""
    return contents if place.is_relative_to(SUBMISSIONS_ROOT) else with_imports(contents, place)


def _space_of(contents: Contents, file: Path) -> Space:
    """The space in an author's files, after checking that its frameworks are known."""
    space = space_of(contents, file)
    for framework in space.frameworks:
        if framework not in FRAMEWORKS.names:
            what = f"framework in {file}, key 'frameworks':"
            raise UnknownNameError(what, framework, FRAMEWORKS.names)
    return space


def _check_declared(folder: Path, space: Space, has: Iterable[Framework]) -> None:
    for framework in space.frameworks:
        if framework not in has:
            raise HarnessError(
                f"{folder / 'space.toml'}: key 'frameworks' names {framework}, "
                f"but {file_for(framework)} is missing",
                f"the folder has: {', '.join(has)}",
            )


def _resolve_import_path(text: str) -> ResolvedSubmission:
    code, space = code_of(text), read_space(IMPORT_PATH_SPACE)
    ref = SubmissionRef(name=text, location=text, content_hash=code.content_hash)
    return ResolvedSubmission(ref, space, space.frameworks, code.files, code.contents)


def _resolve_algoperf(text: str) -> ResolvedSubmission:
    """Resolve a submission written for AlgoPerf; its frameworks are those that it imports."""
    file = entry_file(text)
    name, contents = name_of(file, FRAMEWORKS.names), read_folder(file.parent, LEFT_OUT)
    check_syntax(file, contents[file.name])
    imported_names = imported_tops({file.name: contents[file.name]}) or imported_tops(contents)
    has = tuple(framework for framework in FRAMEWORKS.names if framework in imported_names)
    if not has:
        raise HarnessError(
            f"{file} imports none of: {', '.join(FRAMEWORKS.names)}",
            "an AlgoPerf submission is written for the framework that it imports",
        )
    space = Space(summary="Written for AlgoPerf", family="algoperf", frameworks=has, default={})
    if SPACE_FILE in contents:
        space = with_tuning_space(space, contents[SPACE_FILE], file.with_name(SPACE_FILE))
    contents = with_neighbours(contents, file.parent)
    contents = with_imports(contents, file, {*PACKAGES, *tops_of(contents, file.parent)})
    return _resolve_files(name, f"{PREFIX}{file}", space, has, contents)
