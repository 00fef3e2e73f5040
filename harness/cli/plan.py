"""`harness plan`: what a run would take, before any of it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.estimate import show_estimate
from harness.cli.flags import AsJson, DataDir, Device, FrameworkName, SuiteName, Threads
from harness.cli.run import (
    BudgetScale,
    ExecutorName,
    Out,
    Ruleset,
    Seed,
    Studies,
    Submission,
    Trials,
    Workloads,
    plans_of,
)
from harness.core.seeds import PUBLIC_ROUND_SEED

Rate = Annotated[
    float | None,
    typer.Option(min=0.0, help="The price of the machine an hour.", show_default=False),
]


def plan(
    *,
    submission: Submission,
    workload: Workloads = None,
    suite: SuiteName = "quick",
    framework: FrameworkName = "torch",
    ruleset: Ruleset = "external",
    studies: Studies = None,
    trials: Trials = None,
    seed: Seed = PUBLIC_ROUND_SEED,
    out: Out = None,
    data_dir: DataDir = None,
    device: Device = None,
    executor: ExecutorName = "local",
    budget_scale: BudgetScale = 1.0,
    threads: Threads = None,
    rate: Rate = None,
    is_json: AsJson = False,
) -> None:
    """Say what a run takes at most: trials, hours, memory, disk and, at a rate, its price.

    Budgets are this machine's, whose speed is measured if it is not known. Nothing is written and
    nothing trains; `harness run --dry-run` says the same with that command's flags.
    """
    from dataclasses import replace

    from harness.cli.machine import choose_device, pick, ready_device, run_options, say_on
    from harness.core.console import PlainConsole
    from harness.plan.plan import RULESETS, PlanRequest
    from harness.plan.rounds import seed_of
    from harness.providers.registry import suite as suite_of
    from harness.providers.registry import workload as workload_of
    from harness.providers.table import FRAMEWORKS

    spec, console = suite_of(suite), PlainConsole(stderr=is_json)
    names = tuple(dict.fromkeys(workload or spec.workloads))
    device_name, remark = choose_device(device, spec)
    sizes = [workload_of(name).at(suite) for name in names]
    request = PlanRequest(
        workload="",
        submission=submission,
        suite=suite,
        framework=pick("framework", framework, FRAMEWORKS.names),
        ruleset=pick("ruleset", ruleset, RULESETS),
        round_seed=seed_of(seed),
        device=ready_device(device_name, framework, sizes, say_on(console)),
        studies=studies,
        trials=trials,
        budget_scale=budget_scale,
    )
    options = run_options("plain", data_dir, threads, spec.hardware.cores)
    store = out or Path("runs") / suite
    requests = tuple(replace(request, workload=name) for name in names)
    plans = plans_of(console, requests, store, options, remark, is_rehearsed=False)
    show_estimate(console, plans, store, executor, rate=rate, is_json=is_json)
