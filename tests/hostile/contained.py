"""How cases end in a container, where that is another way than in the sandboxes of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.plan.trial import State

from .table import TIMED


class Ending(NamedTuple):
    """How a case's trial ends in a container."""

    states: tuple[State, ...]
    reason: str = ""
    says: str = ""
    """What the submission then says."""
    settings: Mapping[str, Any] = {}
    """Of the trial."""


OTHERWISE = {
    "thaw_itself": Ending(("budget",), says="refused"),
    "leave_group": Ending(("crashed",), "Operation not permitted"),
    "go_on_for_leader": Ending(("crashed",)),
    "kill_parent": Ending(("hung",), "end of the budget", settings=TIMED),
}
"""Those that end in another way than in the sandbox that tests/hostile runs them in.

The timer and the change of groups are refused; where the worker's end is seen at a freeze, its
status is not; the parent is the first process of its namespace, which no signal from within
reaches, so that what was to kill it waits for its own end.
"""
