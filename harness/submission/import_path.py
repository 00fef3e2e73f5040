"""The code that an import path `module:Class` stands for; it is looked up and read, not imported.

Code of an installed distribution is hashed where it lies and imported from there. Any other, such
as a module in the working directory or an editable install, is its author's folder: its files, and
those of the local modules that it imports, are counted, hashed and copied like a submission's.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple

from harness.core.canonical import sha256_json
from harness.core.content import sha256_bytes, sha256_contents
from harness.core.errors import HarnessError
from harness.core.modules import spec_of
from harness.submission.distributions import installed_hash, owners_of
from harness.submission.files import (
    Contents,
    TooLargeError,
    check_size,
    content_size,
    read_files,
    read_folder,
)
from harness.submission.imports import imported_tops

LONGEST_PATH = 100
OURS = frozenset({"harness", "workloads", "submissions", "scoring"})
"""What a worker has anyway, hashed as the harness."""


class Code(NamedTuple):
    """What an import path stands for."""

    content_hash: str
    files: str
    """The hash of the bytes, where the other is blind to prose."""
    contents: Contents
    """What is copied for a worker; nothing of an installed distribution."""


def code_of(text: str) -> Code:
    """Find the code of an import path.

    Raises:
        HarnessError: it is no import path, its module is not to be found, or its code is too large.
    """
    name = _check_path(text).partition(":")[0]
    here = Path.cwd()
    top, place = _top_of(name, here)
    if owners := owners_of(top.partition(".")[0], place):
        digest = sha256_json({"import": text, "code": installed_hash(owners, place)})
        return Code(digest, digest, {})
    contents = {} if top in OURS else _local_code(top, place)
    hashed_contents = read_folder(place) if top in OURS else contents
    return Code(
        sha256_json({"import": text, "code": sha256_contents(hashed_contents)}),
        sha256_json({"import": text, "code": sha256_bytes(hashed_contents)}),
        contents,
    )


def _check_path(text: str) -> str:
    module, _, attribute = text.partition(":")
    parts = (*module.split("."), *attribute.split("."))
    if not all(part.isidentifier() and part.isascii() for part in parts):
        raise HarnessError(
            f"'{text[:LONGEST_PATH]}' is no import path",
            "write module:Class, for example torch.optim:Adagrad",
        )
    if len(text) > LONGEST_PATH:
        raise HarnessError(
            f"the import path '{text[:LONGEST_PATH]}...' has {len(text)} characters",
            f"at most {LONGEST_PATH} are allowed; import the class where its path is shorter",
        )
    return text


def _top_of(name: str, here: Path) -> tuple[str, Path]:
    """The first package or module on the way to a module that is one place, and that place.

    Raises:
        HarnessError: a module on the way is not to be found.
    """
    place: Path | None = None
    first = ""
    parts = name.split(".")
    for number in range(1, len(parts) + 1):
        part = ".".join(parts[:number])
        spec = spec_of(part, here)
        if spec is None and number > 1 and place is not None and place.is_file():
            break  # an attribute of a module that sets itself up, which the import will tell
        if spec is None:
            raise HarnessError(
                f"no module '{part}' is installed, nor is it in {here}, which '{name}' asks for",
                f"a module of your own: run where python -c 'import {parts[0]}' finds it; one of a "
                "package: install that, whose name may be another",
            )
        if place is None and (place := _place_of(spec)) is not None:
            first = part
    if place is None:
        raise HarnessError(
            f"'{name}' is a folder without a module", "give the path of a module in it"
        )
    return first, place


def _place_of(spec: ModuleSpec) -> Path | None:
    """The folder of a package, the file of a module; None for a package in several places."""
    if spec.origin is None or not spec.has_location:
        return None
    file = Path(spec.origin)
    return file.parent if spec.submodule_search_locations is not None else file


def _local_code(top: str, place: Path) -> Contents:
    """The files of a module that is not installed and of the local modules that it imports.

    Raises:
        HarnessError: together they are more than the limit, or something else than files.
    """
    try:
        return _collect(top, place)
    except TooLargeError as error:
        raise HarnessError(
            error.message,
            f"'{top}' is not installed from a built distribution, so all of its files are counted; "
            "install it without -e (pip install .), or give a folder with what is needed",
        ) from error


def _collect(top: str, place: Path) -> Contents:
    contents: dict[str, bytes] = {}
    waiting, tops = [(top, place)], {top}
    while waiting:
        new_files = _files_of(*waiting.pop())
        contents |= new_files
        check_size(place, content_size(contents))
        for other in sorted(imported_tops(new_files) - tops):
            tops.add(other)
            if (other_place := _local_place(other, place.parent)) is not None:
                waiting.append((other, other_place))
    return contents


def _files_of(name: str, place: Path) -> Contents:
    """By their paths as an import looks for them: below the folders of the packages they are in."""
    *packages, last = name.split(".")
    if place.is_file():
        above, files = packages, read_files(place.parent, [place])
    else:
        above, files = [*packages, last], read_folder(place)
    return {"/".join([*above, file]): content for file, content in files.items()}


def _local_place(top: str, beside: Path) -> Path | None:
    """Where a local module lies; None for what is built in, installed or not there."""
    if top in sys.stdlib_module_names or top in OURS:
        return None
    spec = spec_of(top, beside)
    place = _place_of(spec) if spec is not None else None
    return None if place is None or owners_of(top, place) else place
