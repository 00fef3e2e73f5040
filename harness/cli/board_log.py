"""The events of a board's log: one frozen model per kind of change, discriminated by `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.record.schema.audited import TrialAudited
from harness.record.schema.base import EventData

ManualMark = Literal["self-reported", "verified", "held", "disqualified"]
"""The marks that an organiser sets by hand. `audited` follows only from audits, and `withdrawn`
from the withdrawal of a bundle; see `harness.core.marks`."""


class BundleAdded(EventData):
    """A bundle was verified and added."""

    kind: Literal["added"] = "added"
    bundle: str
    """Its SHA-256."""
    entries: tuple[str, ...]
    allow: tuple[str, ...]
    """The rules that it may break; they appear among the board's flags."""


class BundleWithdrawn(EventData):
    """A bundle is no longer shown; its files are kept."""

    kind: Literal["withdrawn"] = "withdrawn"
    bundle: str
    reason: str


class BundleSuperseded(EventData):
    """A bundle replaced another one, whose files are kept."""

    kind: Literal["superseded"] = "superseded"
    bundle: str
    by: str
    reason: str


class EntryMarked(EventData):
    """An organiser marked an entry."""

    kind: Literal["marked"] = "marked"
    submission: str
    entry_hash: str
    """Hash of the submission's content and of its search space if a request changed it."""
    mark: ManualMark
    reason: str


BoardEvent = BundleAdded | BundleWithdrawn | BundleSuperseded | EntryMarked | TrialAudited
BOARD_EVENTS: TypeAdapter[BoardEvent] = TypeAdapter(
    Annotated[BoardEvent, Field(discriminator="kind")]
)
