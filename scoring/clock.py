"""The clocks of a score: the cost measured until the target is reached."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from harness.core.errors import HarnessError, UnknownNameError


@dataclass(frozen=True)
class Clock:
    """One measure of the cost to reach the target."""

    name: str
    column: str
    """The column of a results frame."""
    table_column: str
    """The column of a table of study times."""
    unit: str
    said_by: str


CLOCKS = {
    clock.name: clock
    for clock in (
        Clock("seconds", "time_to_target_s", "time_to_target_s", "s", "the referee's clock"),
        Clock("steps", "steps_to_target", "step_at_target", "steps", "the worker's claim"),
        Clock(
            "examples", "examples_to_target", "examples_at_target", "examples", "the worker's claim"
        ),
        Clock("flops", "flops_to_target", "flops_at_target", "FLOP", "the worker's claim"),
        Clock("joules", "joules_to_target", "joules_at_target", "J", "the machine's meter"),
    )
}


def clock_of(name: str) -> Clock:
    """The clock with this name.

    Raises:
        UnknownNameError: there is no such clock.
    """
    if name not in CLOCKS:
        raise UnknownNameError("clock", name, CLOCKS)
    return CLOCKS[name]


def require_column(frame: pd.DataFrame, column: str, clock: Clock) -> None:
    """Check that the frame has a column for the clock."""
    if column not in frame.columns:
        have = [c.name for c in CLOCKS.values() if {c.column, c.table_column} & set(frame.columns)]
        raise HarnessError(
            f"the clock '{clock.name}' needs a column '{column}', which is not recorded here",
            f"recorded here: {', '.join(have) or 'none'}",
        )
