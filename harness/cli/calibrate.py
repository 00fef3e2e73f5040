"""`harness calibrate`: find a workload's target and budget, or check them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.estimate import DryRun, show_estimate
from harness.cli.flag_groups import expand_groups
from harness.cli.flags import DataDir, Device, FrameworkName, Sandbox, SuiteName, Workload
from harness.cli.machine import say_on
from harness.core.errors import HarnessError
from harness.providers.table import CONCURRENT_EXECUTOR, DEFAULT_FRAMEWORK, DEFAULT_SANDBOX

if TYPE_CHECKING:
    from harness.calibration.procedure import Calibration, Effort
    from harness.calibration.summary import Summary
    from harness.core.console import PlainConsole
    from harness.plan.plan import Plan, PlanRequest


Out = Annotated[
    Path | None,
    typer.Option(help="Folder of the records.", show_default="runs/calibration-SUITE"),
]
HorizonSteps = Annotated[
    int | None, typer.Option(help="Steps of the horizon.", show_default="the workload's")
]
Points = Annotated[int, typer.Option(help="Points tried to tune a baseline.")]
Seeds = Annotated[int, typer.Option(help="Reruns of its best point.")]
Studies = Annotated[
    int, typer.Option(help="Whole studies of the first baseline, as a user runs them.")
]
Baselines = Annotated[
    str, typer.Option(help="Comma-separated names; the first sets target and budget.")
]
Latest = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Fraction of the horizon by which the median seed reaches the target.",
    ),
]
Jobs = Annotated[int, typer.Option(help="Trials at once where only steps count.")]
AllThreads = Annotated[
    int | None,
    typer.Option(help="CPU threads of all jobs together.", show_default="the suite's cores"),
]
Write = Annotated[
    bool,
    typer.Option("--write", help="Write target, budget and summary into the workload's folder."),
]
Add = Annotated[
    bool, typer.Option("--add", help="Instead, add the baselines at the declared target.")
]
Time = Annotated[
    bool,
    typer.Option(
        "--time", help="Instead, time reference and baselines again and set the budget from it."
    ),
]
Rerun = Annotated[
    bool,
    typer.Option(
        "--rerun", help="Instead, run the tuned points on seeds again and set the target from it."
    ),
]
Check = Annotated[
    int, typer.Option(help="Instead, run this many whole studies of the first baseline as a check.")
]


@dataclass(frozen=True, kw_only=True)
class EffortArguments:
    """Flags for the effort of a calibration, and for the rule that chooses the target."""

    horizon_steps: HorizonSteps = None
    points: Points = 24
    seeds: Seeds = 20
    studies: Studies = 10
    baselines: Baselines = "adamw,nadamw,nesterov,heavy_ball"
    latest: Latest = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the baselines."""
        return tuple(self.baselines.split(","))

    def effort(self, request: PlanRequest) -> Effort:
        """The effort of a calibration of the request's workload."""
        from harness.calibration.procedure import Effort
        from harness.calibration.target import Rule
        from harness.plan.plan import workload_at

        return Effort(
            self.horizon_steps or workload_at(request).budget.horizon_steps,
            points=self.points,
            seeds=self.seeds,
            studies=self.studies,
            baselines=self.names,
            rule=Rule(latest_fraction=self.latest),
        )


@expand_groups
def calibrate(
    *,
    workload: Workload,
    suite: SuiteName = "quick",
    framework: FrameworkName = DEFAULT_FRAMEWORK,
    out: Out = None,
    arguments: EffortArguments,
    jobs: Jobs = 1,
    threads: AllThreads = None,
    write: Write = False,
    add: Add = False,
    time: Time = False,
    rerun: Rerun = False,
    check: Check = 0,
    device: Device = None,
    sandbox: Sandbox = DEFAULT_SANDBOX,
    data_dir: DataDir = None,
    dry_run: DryRun = False,
) -> None:
    """Tune baselines, rerun each on fresh seeds, and derive target and budget.

    After an interruption it resumes unfinished trials. The summary is OUT/summary.json; --write
    copies it next to the workload, into calibration/SUITE.json, and changes workload.toml. --add
    and --check leave target and budget as they are; --add times all baselines again. All times are
    taken on one machine, which must be idle.
    """
    from harness.calibration.procedure import Calibration
    from harness.cli.machine import interruptible, run_options
    from harness.core.console import PlainConsole
    from harness.providers.registry import hardware_of

    if add + time + rerun + bool(check) > 1:
        raise HarnessError(
            "--add, --time, --rerun and --check cannot be combined", "run one after the other"
        )
    request = _request(workload, arguments.names[0], suite, framework, device)
    options = run_options(sandbox, data_dir, threads, hardware_of(suite, workload).cores)
    store, console = out or Path("runs") / f"calibration-{suite}", PlainConsole()
    effort = arguments.effort(request)
    calibration = Calibration(request, effort, store, options, jobs, say_on(console))
    if dry_run:
        plan, place = _plan(calibration, check=check, add=add, time=time, rerun=rerun)
        show_estimate(console, [plan], place, CONCURRENT_EXECUTOR, rate=None, is_json=False)
        return
    with interruptible(store):
        if check:
            _check(console, calibration, check, write=write)
        elif add:
            _add(console, calibration, write=write)
        elif time:
            _finish(
                console, calibration.retime(_read_declared_summary(calibration)), store, write=write
            )
        elif rerun:
            _finish(
                console, calibration.rerun(_read_declared_summary(calibration)), store, write=write
            )
        else:
            _finish(console, calibration.run(), store, write=write)


def _plan(
    calibration: Calibration, *, check: int, add: bool, time: bool, rerun: bool
) -> tuple[Plan, Path]:
    """The trials that a calibration takes, and the folder of their records."""
    from harness.calibration import forecast
    from harness.calibration.check import check_plan
    from harness.core.console import PlainConsole
    from harness.plan.plan import Plan

    store = calibration.store
    if check:
        store /= "check"
        say, options = say_on(PlainConsole()), calibration.options
        return check_plan(calibration.request, check, store, options, say), store
    if not (add or time or rerun):
        return Plan(tuple(forecast.calibration_trials(calibration))), store
    baselines = _read_declared_summary(calibration).baselines
    if add:
        trials = forecast.added_trials(calibration, baselines)
    elif time:
        trials = forecast.retimed_trials(calibration, baselines)
    else:
        trials = forecast.rerun_trials(calibration, baselines)
    return Plan(tuple(trials)), store


def _request(
    workload: str, submission: str, suite: str, framework: str, device: str | None
) -> PlanRequest:
    from harness.cli.machine import choose_device, pick
    from harness.core.console import PlainConsole
    from harness.plan.plan import PlanRequest
    from harness.providers.registry import hardware_of
    from harness.providers.registry import workload as workload_of
    from harness.providers.table import FRAMEWORKS
    from harness.runs.device import ready_device

    return PlanRequest(
        workload=workload,
        submission=submission,
        suite=suite,
        framework=pick("framework", framework, FRAMEWORKS.names),
        device=ready_device(
            choose_device(device, hardware_of(suite, workload), f"suite {suite}")[0],
            framework,
            [workload_of(workload).at(suite)],
            say_on(PlainConsole()),
        ),
    )


def _read_declared_summary(calibration: Calibration) -> Summary:
    """The summary next to the workload."""
    from harness.calibration.summary import read_summary

    return read_summary(_summary_path(calibration))


def _summary_path(calibration: Calibration) -> Path:
    from harness.calibration.summary import summary_path
    from harness.providers.registry import workload

    request = calibration.request
    return summary_path(workload(request.workload).folder, request.suite)


def _finish(console: PlainConsole, summary: Summary, store: Path, *, write: bool) -> None:
    from harness.calibration.band import with_band
    from harness.calibration.declare import changes_of, changes_text, write_changes
    from harness.calibration.summary import summary_path, write_summary
    from harness.cli.calibration_table import summary_band, summary_table
    from harness.providers.registry import workload

    summary = with_band(summary)
    folder, say = workload(summary.workload).folder, say_on(console)
    console.print(summary_table(summary))
    say(f"budget {summary.budget_s:g} s")
    say(summary_band(summary))
    write_summary(store / "summary.json", summary)
    say(f"summary: {store / 'summary.json'}")
    if write:
        write_summary(summary_path(folder, summary.suite), summary)
        write_changes(folder / "workload.toml", changes_of(summary))
    say(f"{'written into' if write else 'lines for'} {folder / 'workload.toml'}:")
    say(changes_text(changes_of(summary)))
    if write:
        where = f"--workload {summary.workload} --suite {summary.suite}"
        say(f"Next: harness calibrate {where} --check 10")
    else:
        say("Next: the same command with --write")


def _add(console: PlainConsole, calibration: Calibration, *, write: bool) -> None:
    from harness.calibration.band import with_band
    from harness.calibration.summary import write_summary
    from harness.cli.calibration_table import summary_band, summary_table

    path, earlier, say = (
        _summary_path(calibration),
        _read_declared_summary(calibration),
        say_on(console),
    )
    baselines = calibration.at_declared_target(earlier.baselines)
    summary = with_band(earlier.with_baselines(baselines))
    console.print(summary_table(summary))
    say(summary_band(summary))
    if write:
        write_summary(path, summary)
    say(f"added to {path}" if write else "--write adds these to the summary beside the workload")


def _check(console: PlainConsole, calibration: Calibration, studies: int, *, write: bool) -> None:
    from harness.calibration.check import check
    from harness.calibration.summary import write_summary
    from harness.display.load import display_for

    store = calibration.store / "check"
    outcome = check(calibration.request, studies, store, calibration.options, display_for(console))
    say = say_on(console)
    say(f"{outcome.reached} of {outcome.studies} studies of {outcome.submission} reach the target")
    if write:
        path = _summary_path(calibration)
        write_summary(path, _read_declared_summary(calibration).with_check(outcome))
        say(f"added to {path}")
    else:
        say("--write adds this to the summary beside the workload")
