"""What a store's ledger holds: one frozen model an entry, discriminated by `kind`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.core.recorded import Seconds
from harness.plan.trial import State
from harness.record.schema.audited import TrialAudited
from harness.record.schema.base import EventData


class Planned(EventData):
    """The trial was planned, before anything ran."""

    kind: Literal["planned"] = "planned"
    identity: str
    folder: str
    round: str
    """The commitment to the round's seed."""


class PlanWithdrawn(EventData):
    """By explicit command alone: a planned trial that has not begun need not be there any more.

    Once it begins after all, this is void.
    """

    kind: Literal["plan_withdrawn"] = "plan_withdrawn"
    identity: str
    reason: str


class AttemptBegun(EventData):
    """An attempt began."""

    kind: Literal["begun"] = "begun"
    identity: str
    attempt: int


class AttemptResumed(EventData):
    """The referee had died; its successor goes on from a checkpoint."""

    kind: Literal["resumed"] = "resumed"
    identity: str
    attempt: int
    step: int
    timed_s: Seconds


class AttemptEnded(EventData):
    """An attempt ended."""

    kind: Literal["ended"] = "ended"
    identity: str
    attempt: int
    state: State
    events: str
    """The hash of the log's last event."""


class Reopened(EventData):
    """By explicit command alone: an ended trial is to be run again."""

    kind: Literal["rerun"] = "rerun"
    identity: str
    attempt: int
    state: State | Literal["unfinished"]
    events: str
    """The hash of that end; "" if the ledger has none."""
    reason: str
    lost: Literal[True] | None = None
    """Whether the events of that end are not there any more."""


LedgerEntry = (
    Planned | PlanWithdrawn | AttemptBegun | AttemptResumed | AttemptEnded | Reopened | TrialAudited
)
LEDGER_ENTRIES: TypeAdapter[LedgerEntry] = TypeAdapter(
    Annotated[LedgerEntry, Field(discriminator="kind")]
)
