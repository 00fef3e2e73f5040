"""`harness plan`: estimate a run before it trains."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.estimate import show_estimate
from harness.cli.flag_groups import expand_groups
from harness.cli.flags import AsJson
from harness.cli.places import Place
from harness.cli.planning import PlanArguments, plans_to_estimate

Rate = Annotated[
    float | None,
    typer.Option(min=0.0, help="The price of the machine per hour.", show_default=False),
]


@expand_groups
def plan(
    *, arguments: PlanArguments, place: Place, rate: Rate = None, is_json: AsJson = False
) -> None:
    """Show what a run takes at most: trials, hours, memory, disk and, with --rate, its price.

    Budgets are scaled to this machine's speed, which is measured if it is not known. No trial is
    written or run; `harness run --dry-run` shows the same with that command's flags.
    """
    from harness.core.console import PlainConsole

    console = PlainConsole(stderr=is_json)
    store, options = place.store(arguments), place.options(arguments)
    elsewhere = place.is_elsewhere
    plans = plans_to_estimate(console, arguments, store, options, is_elsewhere=elsewhere)
    show_estimate(console, plans, store, place.executor, rate=rate, is_json=is_json)
