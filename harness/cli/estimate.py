"""Show the estimate of a run; numbers of trials and seconds in words."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.say import say

if TYPE_CHECKING:
    from harness.core.console import PlainConsole
    from harness.plan.plan import Plan
    from harness.runs.estimate import Estimate

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what it takes, as `harness plan` does; run nothing.")
]


def show_estimate(
    console: PlainConsole,
    plans: Sequence[Plan],
    store: Path,
    executor: str,
    *,
    rate: float | None,
    is_json: bool,
) -> None:
    """Show the estimate for the missing trials of some plans.

    Raises:
        UnknownNameError: there is no executor with this name.
    """
    from harness.cli.machine import pick
    from harness.providers.table import EXECUTORS
    from harness.runs.estimate import estimate

    pick("executor", executor, EXECUTORS.names)
    total = estimate([trial for each in plans for trial in each.trials], store)
    if is_json:
        price = {} if rate is None else {"price": total.price(rate)}
        say(json.dumps({**asdict(total), "executor": executor, **price}, indent=2))
        return
    for line in _lines(total, executor, rate):
        console.print(line, soft_wrap=True)


def _lines(total: Estimate, executor: str, rate: float | None) -> list[str]:
    from harness.execution.load import is_serial

    order = "one after the other" if is_serial(executor) else "whose times are added up"
    lines = [
        f"{count_text(total.trials)}, {total.pending} to run, {order}, with --executor {executor}",
        *_time_lines(total),
        f"memory: at most {total.memory_gib:g} GiB a worker, and the referee's",
        f"disk: at most {total.disk_bytes / 1e9:.1f} GB, the cache of prepared data included",
    ]
    if rate is not None:
        extra = "evaluation and trials counted in steps are" if total.steps else "evaluation is"
        price_text = f"{total.price(rate):.2f} at {rate:g} an hour"
        lines.append(f"price: at most {price_text}; {extra} extra")
    return lines


def _time_lines(total: Estimate) -> list[str]:
    lines = [
        f"time: at most {duration(total.timed_s)} on the clock, {duration(total.longest_s)} with "
        "warm-up; evaluation is extra"
    ]
    if not total.steps:
        return lines
    steps_line = (
        f"steps: at most {total.steps:,}; trials that are counted in steps have no time limit"
    )
    return [steps_line] if total.timed_s == 0.0 else [*lines, steps_line]


def count_text(trials: int) -> str:
    """A number of trials in words."""
    return "1 trial" if trials == 1 else f"{trials} trials"


def duration(seconds: float) -> str:
    """Seconds in words: hours, minutes and seconds."""
    # a fraction of a second is not nothing
    minutes, rest = divmod(round(seconds) or math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0)
    return " ".join(parts + [f"{rest} s"] * (rest > 0 or not parts))
