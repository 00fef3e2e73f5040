"""Finds and hashes the code behind an import path `module:Class`, without importing it.

The code of an installed distribution is hashed and imported in place. All other code is local
(`harness.submission.local_code`): the files of its author's folder are copied.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from harness.core.canonical import sha256_json
from harness.core.content import sha256_bytes, sha256_contents
from harness.core.errors import HarnessError, nearest, question
from harness.core.modules import spec_of
from harness.submission.distributions import installed_hash, owners_of
from harness.submission.files import Contents
from harness.submission.local_code import local_code, local_modules
from harness.submission.module_places import OURS, place_of

LONGEST_PATH = 100


class Code(NamedTuple):
    """The code of an import path."""

    content_hash: str
    files: str
    """The hash of the bytes; `content_hash` ignores comments and docstrings."""
    contents: Contents
    """The local code that is copied for a worker, including local dependencies of installed code.
    """


def code_of(text: str) -> Code:
    """Find the code of an import path.

    Raises:
        HarnessError: it is not an import path, its module is not found, or its code is too large.
    """
    name = _check_path(text).partition(":")[0]
    if name.partition(".")[0] in OURS:
        raise HarnessError(
            f"{text} is not an optimizer's path: {', '.join(sorted(OURS))} are this package's",
            "give a shipped submission by its name, as `harness list` shows it",
        )
    here = Path.cwd()
    top, place = _top_of(name, here)
    if owners := owners_of(top.partition(".")[0], place):
        return _installed_code(text, installed_hash(owners, place), name)
    contents = local_code([(top, place)])
    return Code(
        sha256_json({"import": text, "code": sha256_contents(contents)}),
        sha256_json({"import": text, "code": sha256_bytes(contents)}),
        contents,
    )


def _installed_code(text: str, code: str, name: str) -> Code:
    """An installed distribution's code, and the local code that it depends on or imports."""
    contents = local_code(local_modules([name]))
    whole = {"import": text, "code": code}
    if not contents:
        digest = sha256_json(whole)
        return Code(digest, digest, contents)
    return Code(
        sha256_json({**whole, "local": sha256_contents(contents)}),
        sha256_json({**whole, "local": sha256_bytes(contents)}),
        contents,
    )


def _check_path(text: str) -> str:
    module, _, attribute = text.partition(":")
    parts = (*module.split("."), *attribute.split("."))
    if not all(part.isidentifier() and part.isascii() for part in parts):
        raise HarnessError(
            f"'{text[:LONGEST_PATH]}' is not an import path",
            "write module:Class, for example torch.optim:Adagrad",
        )
    if len(text) > LONGEST_PATH:
        raise HarnessError(
            f"the import path '{text[:LONGEST_PATH]}...' has {len(text)} characters",
            f"at most {LONGEST_PATH} are allowed; import the class where its path is shorter",
        )
    return text


def _top_of(name: str, here: Path) -> tuple[str, Path]:
    """The outermost package of a module (or the module) that has a single location, and where.

    Raises:
        HarnessError: a module on the way is not found.
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
            guess = nearest(part, [file.stem for file in here.glob("*.py")])
            raise HarnessError(
                f"'{name}' needs module '{part}', which is neither installed nor in {here}"
                f"{question(guess)}",
                f"run where python -c 'import {parts[0]}' finds it, or install the package that "
                "provides it, which may have another name",
            )
        if place is None and (place := place_of(spec)) is not None:
            first = part
    if place is None:
        raise HarnessError(
            f"'{name}' is a folder without a module", "give the path of a module in it"
        )
    return first, place
