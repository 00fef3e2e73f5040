"""`harness plan`: what a run would take, before any of it trains."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.estimate import show_estimate
from harness.cli.flags import (
    AsJson,
    BudgetScale,
    DataDir,
    Device,
    Devices,
    ExecutorName,
    FrameworkName,
    Out,
    Ruleset,
    Seed,
    Settings,
    SpaceFile,
    Studies,
    Submission,
    SuiteOfWorkloads,
    Threads,
    Trials,
    Variant,
    Width,
    Workloads,
)
from harness.cli.planning import Asked, plans_to_estimate, variant_of
from harness.core.seeds import PUBLIC_ROUND_SEED

Rate = Annotated[
    float | None,
    typer.Option(min=0.0, help="The price of the machine an hour.", show_default=False),
]


def plan(
    *,
    submission: Submission,
    workload: Workloads = None,
    suite: SuiteOfWorkloads = None,
    framework: FrameworkName = "torch",
    ruleset: Ruleset = "external",
    studies: Studies = None,
    trials: Trials = None,
    settings: Settings = None,
    space: SpaceFile = None,
    seed: Seed = PUBLIC_ROUND_SEED,
    out: Out = None,
    data_dir: DataDir = None,
    device: Device = None,
    devices: Devices = 1,
    executor: ExecutorName = "local",
    budget_scale: BudgetScale = 1.0,
    variant: Variant = "base",
    width: Width = None,
    threads: Threads = None,
    rate: Rate = None,
    is_json: AsJson = False,
) -> None:
    """Say what a run takes at most: trials, hours, memory, disk and, at a rate, its price.

    Budgets are this machine's, whose speed is measured if it is not known. Nothing is written and
    nothing trains; `harness run --dry-run` says the same with that command's flags.
    """
    from harness.cli.machine import run_options
    from harness.core.console import PlainConsole

    asked = Asked(
        submission=submission,
        workloads=workload,
        suite=suite,
        framework=framework,
        ruleset=ruleset,
        studies=studies,
        trials=trials,
        settings=settings,
        space=space,
        seed=seed,
        device=device,
        devices=devices,
        budget_scale=budget_scale,
        variant=variant_of(variant, width),
    )
    console = PlainConsole(stderr=is_json)
    cores = asked.suite_spec.hardware.cores
    options = run_options("plain", data_dir, threads, cores, devices=devices)
    store = out or asked.default_store
    plans = plans_to_estimate(console, asked, store, options, executor)
    show_estimate(console, plans, store, executor, rate=rate, is_json=is_json)
