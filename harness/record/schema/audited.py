"""What a ledger or a board's log keeps of an audit: one line a trial that was rerun."""

from __future__ import annotations

from typing import Literal

from harness.core.recorded import Seconds
from harness.record.schema.base import EventData

AuditVerdict = Literal["agrees", "slower", "not reached", "nothing to compare"]


class TrialAudited(EventData):
    """A trial was run again at its point on a fresh instance."""

    kind: Literal["audited"] = "audited"
    identity: str
    """The trial that was audited."""
    rerun: str
    """The identity of its repetition, whose records lie in the audit's folder."""
    round: str
    """The commitment to the auditor's text."""
    submission: str
    entry_hash: str
    workload: str
    variant: str
    """Of the audited trial."""
    rerun_variant: str
    framework: str
    claimed_s: Seconds | None
    found_s: Seconds | None
    verdict: AuditVerdict
