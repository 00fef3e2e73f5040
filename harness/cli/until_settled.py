"""`harness run --until-settled`: add studies of two submissions until one is faster."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.estimate import show_estimate
from harness.cli.planning import PlanArguments, plans_of
from harness.cli.say import quote, say
from harness.core.errors import HarnessError
from harness.providers.table import DEFAULT_EXECUTOR

if TYPE_CHECKING:
    from harness.core.console import PlainConsole
    from harness.execution.base import Executor, RunOptions
    from harness.plan.plan import Plan
    from harness.runs.until_settled import Look, Pair


def settle(
    console: PlainConsole,
    arguments: PlanArguments,
    rival: str,
    store: Path,
    options: RunOptions,
    *,
    executor: Executor | None,
    is_json: bool,
) -> None:
    """Plan both submissions up to the last study, run them alternately, and print the verdict.

    Args:
        console: shows plans and verdict.
        arguments: the requested run; `studies` is the maximum per submission.
        rival: the other submission, which has its own search space.
        store: folder of the records of both.
        options: the trials' options on this machine.
        executor: runs the trials; None to show only an estimate.
        is_json: print the verdict as JSON.

    Raises:
        HarnessError: the executor runs trials on other machines.
    """
    from harness.cli.machine import interruptible
    from harness.execution.base import RemoteExecutor
    from harness.runs.run import run_plan
    from harness.runs.until_settled import run_until_settled
    from scoring.report.console import print_flags
    from scoring.sequential import sentence

    if isinstance(executor, RemoteExecutor):
        raise HarnessError(
            "--until-settled runs on this machine: it decides after each study",
            "use --executor local, or --studies N there and then `harness compare`",
        )
    pair = _plan_pair(console, arguments, rival, store, options, is_rehearsed=executor is not None)
    if executor is None:
        plans = [*pair.mine, *pair.theirs]
        show_estimate(console, plans, store, DEFAULT_EXECUTOR, rate=None, is_json=is_json)
        return

    def run(plan: Plan) -> None:
        run_plan(plan, store, options, executor)

    with interruptible(store):
        for look in run_until_settled(pair, store, run):
            console.print(sentence(look.test, *pair.names), style="bold", soft_wrap=True)
    print_flags(look.flags, console)
    if is_json:
        say(_as_json(look, *pair.names))
    command = quote("harness", "compare", *pair.names, "--out", store)
    console.print(f"Next: {command}", soft_wrap=True)


def _plan_pair(
    console: PlainConsole,
    arguments: PlanArguments,
    rival: str,
    store: Path,
    options: RunOptions,
    *,
    is_rehearsed: bool,
) -> Pair:
    from harness.runs.until_settled import Pair, find_rival, most_studies
    from harness.speed.factor import speeds_of

    arguments = replace(arguments, studies=most_studies(arguments.studies))
    other = replace(arguments, submission=find_rival(rival, store), settings=None, space=None)
    mine = plans_of(console, arguments, store, options, is_rehearsed=is_rehearsed)
    # Measured twice on a machine that is not idle, the speed would give them different budgets.
    speeds = [speed for plan in mine for speed in speeds_of(plan)]
    theirs = plans_of(console, other, store, options, is_rehearsed=is_rehearsed, speeds=speeds)
    return Pair(tuple(mine), tuple(theirs))


def _as_json(look: Look, a: str, b: str) -> str:
    from scoring.sequential import sentence

    verdict = {"verdict": sentence(look.test, a, b), "flags": look.flags}
    return json.dumps({"a": a, "b": b, **look.test.to_json(), **verdict}, indent=2, allow_nan=False)
