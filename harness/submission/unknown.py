"""The error for a `--submission` that names none: suggests what may have been meant."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from harness.core.errors import HarnessError, UnknownNameError, nearest, question
from harness.core.modules import spec_of
from harness.providers.registry import submission_folders

DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
"""A dotted name, possibly an import path with a dot instead of its colon."""
FILES = "submission*.py"
"""The files by which a folder is known to hold a submission."""


def unknown_submission(text: str) -> HarnessError:
    """The error for a text that is no name, path or import path of a submission."""
    if import_path := _as_import_path(text):
        return HarnessError(
            f"unknown submission '{text}'; did you mean '{import_path}'?",
            "an import path has a colon between the module and what is in it",
        )
    if "/" in text or text.endswith(".py"):
        return HarnessError(
            f"there is no folder or file '{text}'{question(near_path(text))}",
            "give the folder or .py file of a submission; `harness new NAME` writes one",
        )
    names = submission_folders()
    hint = "or give a folder, a .py file, or an import path such as torch.optim:Adagrad"
    guess = nearest(text, names) or near_path(text)
    return UnknownNameError("submission", text, names, hint, guess=guess)


def near_path(text: str) -> str:
    """The path of the submission whose name is most similar, in the folder that a path names.

    Args:
        text: a path at which nothing lies.

    Returns: a path, or an empty text if the folder has no submission of a similar name.
    """
    folder, slash, name = text.rstrip("/").rpartition("/")
    guess = nearest(name, _submissions_in(Path(f"{folder}{slash}" or ".").expanduser()))
    return f"{folder if slash else '.'}/{guess}" if guess else ""


def _submissions_in(folder: Path) -> list[str]:
    """The names of the folders and files in a folder that may be submissions."""
    with suppress(OSError):
        return [
            path.name
            for path in folder.iterdir()
            if path.suffix == ".py" or (path.is_dir() and any(path.glob(FILES)))
        ]
    return []


def _as_import_path(text: str) -> str:
    """A dotted name rewritten as an import path if its beginning is a module; else empty."""
    if not DOTTED_NAME.fullmatch(text) or not text.isascii() or text.endswith(".py"):
        return ""
    parts = text.split(".")
    for number in range(len(parts) - 1, 0, -1):
        if spec_of(".".join(parts[:number]), Path.cwd()) is not None:
            return f"{'.'.join(parts[:number])}:{'.'.join(parts[number:])}"
    return ""
