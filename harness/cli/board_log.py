"""What a board's log holds: one frozen model a change, discriminated by `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.record.schema.audited import TrialAudited
from harness.record.schema.base import EventData

ManualMark = Literal["self-reported", "verified", "held", "disqualified"]
"""The marks that an organiser gives by hand. `audited` follows from audits alone, and `withdrawn`
is said of a bundle; see `harness.core.marks`."""


class BundleAdded(EventData):
    """A bundle was verified and added."""

    kind: Literal["added"] = "added"
    bundle: str
    """Its SHA-256."""
    entries: tuple[str, ...]
    allow: tuple[str, ...]
    """The rules that it was allowed to break; the board is flagged with them."""


class BundleWithdrawn(EventData):
    """A bundle is not shown any more; what it holds is kept."""

    kind: Literal["withdrawn"] = "withdrawn"
    bundle: str
    reason: str


class BundleSuperseded(EventData):
    """A bundle took another's place; what the other holds is kept."""

    kind: Literal["superseded"] = "superseded"
    bundle: str
    by: str
    reason: str


class EntryMarked(EventData):
    """An organiser said something of an entry."""

    kind: Literal["marked"] = "marked"
    submission: str
    entry_hash: str
    """Of its content, and of a space that a request changed."""
    mark: ManualMark
    reason: str


BoardEvent = BundleAdded | BundleWithdrawn | BundleSuperseded | EntryMarked | TrialAudited
BOARD_EVENTS: TypeAdapter[BoardEvent] = TypeAdapter(
    Annotated[BoardEvent, Field(discriminator="kind")]
)
