"""Which submission a trial runs, and the values that a point gives it."""

from __future__ import annotations

from workloads.spec import Frozen

Scalar = bool | int | float | str

Framework = str
"""The name of a framework among `harness.providers.table.FRAMEWORKS`."""


class SubmissionRef(Frozen):
    """Which submission: its name, where it is, and the hash of its content."""

    name: str
    location: str
    """A path (relative to the package for those that ship), or `module:Class`."""
    content_hash: str
