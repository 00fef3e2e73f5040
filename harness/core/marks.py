"""The mark of an entry: how far its times have been verified, and whether it is ranked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Mark = Literal["self-reported", "verified", "audited", "held", "withdrawn", "disqualified"]
MARKS: tuple[Mark, ...] = get_args(Mark)
SELF_REPORTED: Mark = "self-reported"
"""The mark of every entry until an organiser gives it another."""
MEANINGS: Mapping[Mark, str] = {
    "self-reported": "its author's own records; they fit themselves, nobody else has run it",
    "verified": "an organiser ran it again on the same instances and found the same",
    "audited": "`harness audit` reran its fastest trials on fresh instances, and they agree",
    "held": "better than its workload's convergence band, or an audit disagreed: shown, not ranked",
    "withdrawn": "taken back; its records are kept, its times are not shown",
    "disqualified": "it broke a rule; the evidence is kept and shown, and it is not ranked",
}
UNRANKED_MARKS: frozenset[Mark] = frozenset(("held", "withdrawn", "disqualified"))
