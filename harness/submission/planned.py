"""Finds a planned trial's submission on this machine, and where a worker gets it from."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from harness.core.errors import HarnessError
from harness.providers.table import SUBMISSIONS_ROOT
from harness.submission.algoperf.location import PREFIX, entry_file, is_algoperf
from harness.submission.distributions import Versions
from harness.submission.files import Contents
from harness.submission.local_code import IMPORTS, copies_of
from harness.submission.reference import Framework, SubmissionRef
from harness.submission.resolution import resolve


class LocatedSubmission(NamedTuple):
    """A planned submission, found on this machine."""

    place: str
    """An absolute path, `module:Class`, or `algoperf:` and an absolute path."""
    files: str
    """The hash of its files' bytes."""
    contents: Contents
    """Those files; see `ResolvedSubmission`."""
    versions: Versions
    """See `ResolvedSubmission`."""


def locate(ref: SubmissionRef, framework: Framework) -> LocatedSubmission:
    """Find a planned submission on this machine.

    Raises:
        HarnessError: it is missing, has changed since it was planned, or lacks the framework.
    """
    submission = resolve(ref.name if ref.is_shipped else ref.location)
    submission.require(framework)
    if submission.ref.content_hash != ref.content_hash:
        raise HarnessError(
            f"submission '{ref.name}' has changed since the trial was planned",
            "plan it again: `harness run` with the same flags makes new trials",
        )
    shipped_path = str(SUBMISSIONS_ROOT.parent / ref.location)
    place = shipped_path if ref.is_shipped else submission.ref.location
    return LocatedSubmission(place, submission.files, submission.contents, submission.versions)


def worker_paths(submission: LocatedSubmission, copy: Path) -> tuple[str, str]:
    """The paths that a worker gets: the submission's location, and a folder to import from.

    Args:
        submission: a planned submission.
        copy: the folder with its files.
    """
    place = Path(submission.place)
    if not place.is_absolute() and not is_algoperf(submission.place):
        return submission.place, str(copy) if submission.contents else ""
    imports = str(copy / IMPORTS) if copies_of(submission.contents) else ""
    if is_algoperf(submission.place):
        return f"{PREFIX}{copy / entry_file(submission.place).name}", imports
    return str(copy / place.name if place.is_file() else copy), imports
