"""The entry of an audit in a ledger or a board's log: one per rerun trial."""

from __future__ import annotations

from typing import Literal

from harness.core.recorded import Seconds
from harness.record.schema.base import EventData

AuditVerdict = Literal["agrees", "slower", "not reached", "nothing to compare"]


class TrialAudited(EventData):
    """A trial was rerun at its point on a new instance."""

    kind: Literal["audited"] = "audited"
    identity: str
    """The trial that was audited."""
    rerun: str
    """The identity of its rerun, whose record is in the audit's folder."""
    round: str
    """The commitment to the auditor's seed."""
    submission: str
    entry_hash: str
    workload: str
    variant: str
    """The entry of the audited trial."""
    rerun_variant: str
    framework: str
    claimed_s: Seconds | None
    found_s: Seconds | None
    verdict: AuditVerdict
