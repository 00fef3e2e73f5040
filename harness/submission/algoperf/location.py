"""The location of an AlgoPerf submission: `algoperf:FOLDER`, or a file in place of submission.py.

All files of the folder belong to the submission, as in AlgoPerf's repositories, except for tests
and examples, which can be larger than the limit on a submission.
"""

from __future__ import annotations

from pathlib import Path

from harness.core.errors import HarnessError, question
from harness.core.names import check_name
from harness.submission.unknown import near_path

PREFIX = "algoperf:"
ENTRY_FILE = "submission.py"
SPACE_FILE = "tuning_search_space.json"
PACKAGES = ("algoperf", "algorithmic_efficiency")
"""The names of AlgoPerf's package: from version 0.6 on, and before."""
LEFT_OUT = ("tests", "gpu_tests", "examples", "*_test.py", "test_*.py")
"""Names of files and folders that are not part of the submission."""


def is_algoperf(location: str) -> bool:
    """Whether a location names a submission that is written for AlgoPerf."""
    return location.startswith(PREFIX)


def entry_file(location: str) -> Path:
    """The file with the submission's functions, as an absolute path.

    Raises:
        HarnessError: there is no such folder or file, or the folder has no submission.py.
    """
    path = Path(location.removeprefix(PREFIX)).expanduser().absolute()
    file = path / ENTRY_FILE if path.is_dir() else path
    if file.suffix == ".py" and file.is_file():
        return file.resolve()
    guess = near_path(location.removeprefix(PREFIX))
    raise HarnessError(
        f"'{location}': there is no Python file {file}{question(guess and f'{PREFIX}{guess}')}",
        f"write {PREFIX}FOLDER, with {ENTRY_FILE} in it, or {PREFIX}FOLDER/FILE.py",
    )


def name_of(file: Path, frameworks: tuple[str, ...]) -> str:
    """The name of a submission: that of its folder, or of its file if that is not submission.py.

    A folder named after a framework gets the name of its parent as well:
    `nadamw/pytorch/submission.py` is `algoperf-nadamw-pytorch`.
    """
    parts = [file.parent.name]
    if parts[0].removeprefix("py") in frameworks:
        parts.insert(0, file.parent.parent.name)
    if file.name != ENTRY_FILE:
        parts = [file.stem]
    return check_name("submission", "-".join(["algoperf", *parts]))
