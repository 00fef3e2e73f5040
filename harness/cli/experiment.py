"""`harness experiment`: rerun an experiment of the thesis, draw it, and test its claims."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.estimate import DryRun, show_estimate
from harness.cli.flags import DataDir, Device, Sandbox, Threads
from harness.cli.say import say
from harness.core.errors import HarnessError
from harness.providers.table import DEFAULT_EXECUTOR, DEFAULT_SANDBOX

if TYPE_CHECKING:
    from experiments.job import Job
    from experiments.projection_spec import ProjectionExperiment
    from experiments.spec import Form
    from experiments.trials import PlacedTrial
    from harness.core.console import PlainConsole
    from harness.execution.base import Executor, RunOptions

LIST = "list"
Name = Annotated[
    str, typer.Argument(help="An experiment's name, FILE.toml, or `list` to show all.")
]
Quick = Annotated[
    bool, typer.Option("--quick", help="The small form: under three minutes on two cores.")
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder of the results.", show_default="runs/experiments/NAME[-quick]"),
]
ExecutorOption = Annotated[str, typer.Option(help="Where trials run.")]


def experiment(
    name: Name,
    *,
    quick: Quick = False,
    out: Out = None,
    executor: ExecutorOption = DEFAULT_EXECUTOR,
    device: Device = None,
    sandbox: Sandbox = DEFAULT_SANDBOX,
    threads: Threads = None,
    data_dir: DataDir = None,
    dry_run: DryRun = False,
) -> None:
    """Rerun an experiment of the thesis, draw its figure, and say which of its claims held.

    Re-running skips finished trials and resumes interrupted ones. OUT gets figure.pdf, .svg and
    .png, trials.csv, evaluations.csv and findings.md; the records are in OUT/records.
    """
    from experiments.files import check_is_no_file, experiment_name, read_experiment
    from experiments.job import Job
    from experiments.projection_spec import ProjectionExperiment
    from harness.cli.machine import run_options
    from harness.core.console import PlainConsole
    from harness.providers.registry import suite as suite_of

    if name == LIST:
        _list()
        return
    spec, console = read_experiment(name), PlainConsole()
    title = experiment_name(name)
    folder = out or Path("runs") / "experiments" / (f"{title}-quick" if quick else title)
    check_is_no_file(folder)
    if isinstance(spec, ProjectionExperiment):
        if dry_run:
            raise HarnessError(
                f"experiment '{title}' trains nothing, so there is no trial to plan",
                "leave out --dry-run: it projects images and measures distances",
            )
        _project(console, spec, quick, folder, data_dir)
        return
    form = spec.form(is_quick=quick)
    options = run_options(sandbox, data_dir, threads, suite_of(form.suite).hardware.cores)
    job, device_name = Job(title, spec, form, folder), _device(console, form, device)
    if dry_run:
        _show_estimate(console, job, device_name, options, executor)
    else:
        _run(console, job, device_name, options, executor)


def _device(console: PlainConsole, form: Form, device: str | None) -> str:
    """The device of a form's trials; checks that it works."""
    from harness.cli.machine import choose_device, say_on
    from harness.providers.registry import suite as suite_of
    from harness.providers.registry import workload as workload_of
    from harness.runs.device import ready_device

    suite, size = suite_of(form.suite), workload_of(form.workload).at(form.suite)
    name, _ = choose_device(device or "cpu", suite.hardware, f"suite {suite.name}")
    return ready_device(name, form.framework, [size], say_on(console))


def _project(
    console: PlainConsole,
    experiment: ProjectionExperiment,
    is_quick: bool,
    folder: Path,
    data_dir: Path | None,
) -> None:
    from experiments.projections.results import run_projection

    verdict = run_projection(experiment, experiment.images(is_quick=is_quick), folder, data_dir)
    console.print(verdict.replace("**", ""), soft_wrap=True)
    _show_results(console, folder)


def _show_estimate(
    console: PlainConsole, job: Job, device: str, options: RunOptions, executor: str
) -> None:
    from experiments.run import check_sources
    from experiments.trials import plan_experiment, trunks_of
    from harness.plan.plan import Plan

    placed_trials = plan_experiment(job.experiment, job.form, device)
    _show_plan(console, job, placed_trials)
    plan = Plan((*trunks_of(placed_trials), *(each.trial for each in placed_trials)))
    show_estimate(console, [plan], job.store, executor, rate=None, is_json=False)
    check_sources(job, options)


def _run(console: PlainConsole, job: Job, device: str, options: RunOptions, executor: str) -> None:
    from experiments.page import summary
    from experiments.results import write_results
    from experiments.run import prepare_experiment, rehearse_experiment, run_experiment
    from experiments.trials import plan_experiment
    from harness.cli.machine import interruptible
    from harness.display.load import display_for
    from harness.execution.load import executor as executor_of

    placed_trials = plan_experiment(job.experiment, job.form, device)

    def new_executor() -> Executor:
        return executor_of(executor, job.store, display_for(console))

    _show_plan(console, job, placed_trials)
    with interruptible(job.store):
        prepare_experiment(job, placed_trials, options)
        rehearse_experiment(placed_trials, job.store, options)
        records = run_experiment(placed_trials, job.store, options, new_executor)
        findings = write_results(job, placed_trials, records, options)
    for finding in findings:
        console.print(f"{finding.verdict}: {finding.claim.says}", soft_wrap=True)
    console.print(summary(findings))
    _show_results(console, job.folder)


def _show_results(console: PlainConsole, folder: Path) -> None:
    console.print(f"Results: {folder / 'findings.md'}, {folder / 'figure.pdf'}", soft_wrap=True)


def _show_plan(console: PlainConsole, job: Job, placed_trials: tuple[PlacedTrial, ...]) -> None:
    from harness.record.plan import unfinished_trials

    pending = unfinished_trials([each.trial for each in placed_trials], job.store)
    console.print(job.experiment.title, style="bold")
    console.print(
        f"{job.form.workload} of suite {job.form.suite}: {len(placed_trials)} trials of "
        f"{job.form.steps} steps, {len(placed_trials) - len(pending)} of them finished",
        soft_wrap=True,
    )


def _list() -> None:
    from experiments.files import shipped_experiments

    experiments = shipped_experiments()
    width = max(map(len, experiments)) + 1
    for name, each in experiments.items():
        say(f"{name:<{width}}{each.title} ({each.source})")
