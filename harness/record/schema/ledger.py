"""The schema of a store's ledger: one frozen model per kind of entry."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from harness.core.recorded import Seconds, Whole
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
    """A planned trial that has not begun is withdrawn by an explicit command.

    This is void if the trial begins later.
    """

    kind: Literal["plan_withdrawn"] = "plan_withdrawn"
    identity: str
    reason: str


class AttemptBegun(EventData):
    """An attempt began."""

    kind: Literal["begun"] = "begun"
    identity: str
    attempt: Whole


class AttemptResumed(EventData):
    """A restarted referee resumes from a checkpoint."""

    kind: Literal["resumed"] = "resumed"
    identity: str
    attempt: Whole
    step: Whole
    timed_s: Seconds


class AttemptEnded(EventData):
    """An attempt ended."""

    kind: Literal["ended"] = "ended"
    identity: str
    attempt: Whole
    state: State
    events: str
    """The hash of the log's last event."""


class Reopened(EventData):
    """An ended trial is reopened for a rerun by an explicit command."""

    kind: Literal["rerun"] = "rerun"
    identity: str
    attempt: Whole
    state: State | Literal["unfinished"]
    events: str
    """The hash of the void end; "" if the ledger has none."""
    reason: str
    lost: Literal[True] | None = None
    """Whether the events of that end are lost."""


LedgerEntry = (
    Planned | PlanWithdrawn | AttemptBegun | AttemptResumed | AttemptEnded | Reopened | TrialAudited
)
LEDGER_ENTRIES: TypeAdapter[LedgerEntry] = TypeAdapter(
    Annotated[LedgerEntry, Field(discriminator="kind")]
)
