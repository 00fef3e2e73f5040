"""Which submission `--submission X` means: a known name, a folder or file, or `module:Class`."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

from harness.core.canonical import sha256_files, sha256_json
from harness.core.content import sha256_content
from harness.core.errors import HarnessError, UnknownNameError
from harness.providers.registry import submission_folders
from harness.providers.table import FRAMEWORKS, SUBMISSIONS_ROOT
from harness.submission.reference import Framework, SubmissionRef
from harness.submission.space import IMPORT_PATH_SPACE, Space, read_space

CONTENT_LIMIT_BYTES = 256 * 1024
UNMARKED: Framework = "torch"
"""The framework whose file has no mark: `submission.py`, beside `submission_jax.py`."""


@dataclass(frozen=True)
class Resolved:
    """A submission that was found: its reference, its space, the frameworks it is written for."""

    ref: SubmissionRef
    space: Space
    frameworks: tuple[Framework, ...]
    files: str
    """The hash of its files to the byte; the reference's is blind to prose."""

    def require(self, framework: Framework) -> None:
        """Check that it is written for a framework.

        Raises:
            HarnessError: it is not; the message names those it has.
        """
        if framework not in self.frameworks:
            has = ", ".join(self.frameworks)
            raise HarnessError(
                f"submission '{self.ref.name}' has no {framework} version",
                f"it is written for: {has}; choose one with --framework",
            )

    def require_allowed(self, suite: str, workload: str) -> None:
        """Check that its space does not refuse a workload.

        Raises:
            HarnessError: it does; the message says why.
        """
        why = self.space.refused.get(f"{suite}/{workload}")
        if why is not None:
            raise HarnessError(
                f"submission '{self.ref.name}' is refused on {workload} of suite {suite}: {why}",
                "a --budget-scale above 1 runs it all the same, unscored",
            )


def resolve(text: str) -> Resolved:
    """Find a submission.

    Args:
        text: a known name, the path of a folder or of a `.py` file, or `module:Class`.

    Raises:
        UnknownNameError: it is none of these.
        HarnessError: it is too large, links out of its folder, or lacks a file.
    """
    if text in submission_folders():
        return _known(text, submission_folders()[text])
    if ":" in text:
        return _imported(text)
    path = Path(text).expanduser()
    if path.is_dir():
        return _folder(path.resolve())
    if path.is_file():
        return _file(path.resolve())
    hint = "or give the path of a folder or .py file, or an import path such as torch.optim:Adagrad"
    raise UnknownNameError("submission", text, submission_folders(), hint)


def file_for(framework: Framework) -> str:
    """The name of the file that a submission's folder holds for a framework."""
    return "submission.py" if framework == UNMARKED else f"submission_{framework}.py"


class Located(NamedTuple):
    """Where a planned submission is on this machine, and what its files say to the byte."""

    place: str
    """An absolute path, or `module:Class`."""
    files: str
    """The hash of its files' bytes."""


def locate(ref: SubmissionRef, framework: Framework) -> Located:
    """Find a planned submission on this machine.

    Raises:
        HarnessError: it is gone, has changed since it was planned, or lacks the framework.
    """
    found = _found(ref)
    found.require(framework)
    if found.ref.content_hash != ref.content_hash:
        raise HarnessError(
            f"submission '{ref.name}' has changed since the trial was planned",
            "plan it again: `harness run` with the same flags makes new trials",
        )
    shipped = str(SUBMISSIONS_ROOT.parent / ref.location)
    return Located(shipped if _is_shipped(ref) else found.ref.location, found.files)


def _found(ref: SubmissionRef) -> Resolved:
    return resolve(ref.name if _is_shipped(ref) else ref.location)


def _is_shipped(ref: SubmissionRef) -> bool:
    return ":" not in ref.location and not Path(ref.location).is_absolute()


def _known(name: str, folder: Path) -> Resolved:
    found = _folder(folder, name)
    if folder.parent != SUBMISSIONS_ROOT:
        return found
    shared = [*SUBMISSIONS_ROOT.glob("*.py"), *_files(SUBMISSIONS_ROOT / "common")]
    digest = found.ref.content_hash[:32] + sha256_content(SUBMISSIONS_ROOT, shared)[:32]
    location = folder.relative_to(SUBMISSIONS_ROOT.parent).as_posix()
    ref = SubmissionRef(name=name, location=location, content_hash=digest)
    text = found.files[:32] + sha256_files(SUBMISSIONS_ROOT, shared)[:32]
    return Resolved(ref, found.space, found.frameworks, text)


def _folder(folder: Path, name: str = "") -> Resolved:
    files = _files(folder)
    has = [name for name in FRAMEWORKS.names if (folder / file_for(name)).is_file()]
    if not has:
        wanted = " or ".join(file_for(name) for name in FRAMEWORKS.names)
        raise HarnessError(f"{folder} holds no submission", f"it needs {wanted} and space.toml")
    space = _space_of(folder / "space.toml")
    _check_declared(folder, space, has)
    digest = sha256_content(folder, files)
    ref = SubmissionRef(name=name or folder.name, location=str(folder), content_hash=digest)
    return Resolved(ref, space, tuple(has), sha256_files(folder, files))


def _space_of(file: Path) -> Space:
    """An author's space, whose frameworks are known."""
    space = read_space(file)
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


def _file(file: Path) -> Resolved:
    if file.suffix != ".py":
        raise HarnessError(f"{file} is no Python file", "give a folder, a .py file or module:Class")
    space_file = file.with_name("space.toml")
    space = _space_of(space_file)
    _check_size(file.parent, [file, space_file])
    files = [file, space_file]
    digest = sha256_content(file.parent, files)
    ref = SubmissionRef(name=file.stem, location=str(file), content_hash=digest)
    return Resolved(ref, space, space.frameworks, sha256_files(file.parent, files))


def _files(folder: Path) -> list[Path]:
    """A folder's files, without caches and hidden ones; refuses links out and excessive size."""
    files = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if "__pycache__" in parts or any(part.startswith(".") for part in parts):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            raise HarnessError(
                f"{path} links to {path.resolve()}, outside the submission's folder",
                "a submission is judged by its content: copy the file into the folder",
            )
        if path.is_file():
            files.append(path)
    _check_size(folder, files)
    return files


def _check_size(folder: Path, files: Iterable[Path]) -> None:
    size = sum(file.stat().st_size for file in files)
    if size > CONTENT_LIMIT_BYTES:
        raise HarnessError(
            f"the submission in {folder} has {size} bytes of files",
            f"code and text of at most {CONTENT_LIMIT_BYTES} bytes are allowed",
        )


def _imported(text: str) -> Resolved:
    module, _, attribute = text.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        raise HarnessError(
            f"'{text}' is no import path", "write module:Class, for example torch.optim:Adagrad"
        )
    space = read_space(IMPORT_PATH_SPACE)
    ref = SubmissionRef(name=text, location=text, content_hash=_code_hash(text, sha256_content))
    return Resolved(ref, space, space.frameworks, _code_hash(text, sha256_files))


def _code_hash(text: str, hash_of: Callable[[Path, Iterable[Path]], str]) -> str:
    """What stands for an import path's content: its distribution's version, or its own files.

    The module is looked up but not imported: it may be a framework.
    """
    top = text.partition(":")[0].partition(".")[0]
    found = PathFinder.find_spec(top)
    if found is None:
        raise HarnessError(
            f"no module '{top}' is installed, which '{text}' asks for",
            f"install the package that holds it, for example: pip install {top}",
        )
    names = sorted(importlib.metadata.packages_distributions().get(top, []))
    if names:
        versions = {name: importlib.metadata.version(name) for name in names}
        return sha256_json({"import": text, "distributions": versions})
    folders = [Path(place) for place in found.submodule_search_locations or []]
    content = [hash_of(folder, folder.rglob("*.py")) for folder in folders]
    if not folders and found.origin:
        file = Path(found.origin)
        content = [hash_of(file.parent, [file])]
    return sha256_json({"import": text, "files": content})
