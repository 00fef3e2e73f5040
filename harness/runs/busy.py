"""Check before a run's first trial whether other programs keep this machine busy."""

from __future__ import annotations

from harness.machine.host_monitor import busy_fractions
from harness.machine.processes import wait_for_exits

LOOK_S = 0.3
BUSY_FRACTION = 0.1
"""The fraction of the CPUs that other programs may use before a run reports it."""


def busy_remark() -> str:
    """The CPU use of other programs in a sentence; empty if it is low."""
    wait_for_exits()
    others_fraction, stolen_fraction = busy_fractions(LOOK_S)
    if others_fraction + stolen_fraction <= BUSY_FRACTION:
        return ""
    return (
        f"this machine is busy: other programs take {others_fraction:.0%} of the processors, the "
        f"hypervisor {stolen_fraction:.0%}; times are longer now (harness doctor says more)"
    )
