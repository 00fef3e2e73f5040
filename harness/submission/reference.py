"""Which submission a trial runs, and the values that a point gives it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from harness.core.canonical import sha256_json
from workloads.spec import Frozen

LONGEST_TEXT = 200


def _check_bounds(value: bool | int | float | str) -> bool | int | float | str:
    """Check that any program can read and show the value."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise ValueError(f"a text has at most {LONGEST_TEXT} characters")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a whole number lies between -2**63 and 2**63 - 1")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is finite")
    return value


Scalar = Annotated[bool | int | float | str, AfterValidator(_check_bounds)]
"""A value of a hyperparameter."""

Framework = str
"""The name of a framework among `harness.providers.table.FRAMEWORKS`."""


class SubmissionRef(Frozen):
    """Which submission: its name, where it is, and the hash of its content."""

    name: str
    location: str
    """A path (relative to the package for those that ship), `module:Class`, or `algoperf:PATH`."""
    content_hash: str
    space: str = ""
    """The hash of the search space where a request has changed the submission's own."""

    @property
    def is_shipped(self) -> bool:
        """Whether it is one of this package's, which is found by its name."""
        return ":" not in self.location and not Path(self.location).is_absolute()

    @property
    def entry_hash(self) -> str:
        """What makes an entry together with the name: the content, and a changed space."""
        return sha256_json([self.content_hash, self.space]) if self.space else self.content_hash
