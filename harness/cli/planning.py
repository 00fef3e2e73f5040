"""Plan all workloads from the flags that `harness run` and `harness plan` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.flags import (
    BudgetScale,
    Device,
    Devices,
    FrameworkName,
    Ruleset,
    Seed,
    Settings,
    SpaceFile,
    Studies,
    Submission,
    SuiteOfWorkloads,
    Trials,
    Variant,
    Width,
    Workloads,
)
from harness.cli.plan_lines import plan_lines
from harness.core.errors import HarnessError
from harness.core.seeds import PUBLIC_ROUND_SEED
from harness.providers.table import DEFAULT_FRAMEWORK

if TYPE_CHECKING:
    from harness.core.console import PlainConsole
    from harness.execution.base import RemoteExecutor, RunOptions
    from harness.plan.plan import Plan, PlanRequest
    from harness.plan.trial import MachineSpeed
    from workloads.spec import Suite, SuiteWorkload


@dataclass(frozen=True, kw_only=True)
class PlanArguments:
    """The requested run as typed on the command line; `harness.cli.flags` describes each flag."""

    submission: Submission
    workload: Workloads = None
    suite: SuiteOfWorkloads = None
    framework: FrameworkName = DEFAULT_FRAMEWORK
    ruleset: Ruleset = "external"
    studies: Studies = None
    trials: Trials = None
    settings: Settings = None
    space: SpaceFile = None
    seed: Seed = PUBLIC_ROUND_SEED
    device: Device = None
    devices: Devices = 1
    budget_scale: BudgetScale = 1.0
    variant: Variant = "base"
    width: Width = None

    def __post_init__(self) -> None:
        if self.width is not None and self.variant != "base":
            raise HarnessError(
                f"--variant {self.variant} cannot be combined with --width {self.width}",
                "give one of them",
            )

    @cached_property
    def suite_spec(self) -> Suite:
        """The suite; by default that of the workloads, whose names are checked."""
        from harness.providers.registry import default_suite, require_workloads, suite

        names = self.workload or ()
        spec = suite(self.suite or default_suite(names))
        require_workloads(names, spec.name)
        return spec

    @property
    def names(self) -> tuple[str, ...]:
        """The workloads' names, without duplicates."""
        return tuple(dict.fromkeys(self.workload or self.suite_spec.workloads))

    @property
    def cores(self) -> int:
        """CPU cores of the machine that budgets are declared for: that of a single workload, or
        else of the suite.
        """
        from harness.providers.registry import hardware_of

        suite = self.suite_spec
        alone = self.names if len(self.names) == 1 else ()
        return next((hardware_of(suite.name, name).cores for name in alone), suite.hardware.cores)

    def requests(
        self, say: Callable[[str], None], *, is_elsewhere: bool = False
    ) -> tuple[tuple[PlanRequest, ...], str]:
        """One request per workload, and a remark on the device.

        Args:
            say: receives a line that names the GPU.
            is_elsewhere: whether trials run on other machines, which prepare their own device.

        Raises:
            HarnessError: a value is not allowed, or the device cannot run these workloads.
        """
        from harness.cli.machine import pick
        from harness.plan.plan import RULESETS, PlanRequest
        from harness.plan.rounds import seed_of
        from harness.providers.table import FRAMEWORKS
        from harness.submission.adjustment import searched_space, setting_of
        from workloads.spec import WIDTH

        suite = self.suite_spec
        devices, remark = self._devices(say, is_elsewhere=is_elsewhere)
        request = PlanRequest(
            workload="",
            submission=self.submission,
            suite=suite.name,
            framework=pick("framework", self.framework, FRAMEWORKS.names),
            ruleset=pick("ruleset", self.ruleset, RULESETS),
            round_seed=seed_of(self.seed),
            variant=self.variant if self.width is None else f"{WIDTH}{self.width}",
            devices=self.devices,
            studies=self.studies,
            trials=self.trials,
            budget_scale=self.budget_scale,
            space=searched_space(self.space, self.submission) if self.space else None,
            settings=dict(map(setting_of, self.settings or ())),
        )
        return (
            tuple(replace(request, workload=n, device=device) for n, device in devices.items()),
            remark,
        )

    def _devices(
        self, say: Callable[[str], None], *, is_elsewhere: bool
    ) -> tuple[dict[str, str], str]:
        """The device of each workload, and remarks on them."""
        from harness.cli.machine import choose_device
        from harness.providers.registry import workload
        from harness.runs.device import ready_device

        suite = self.suite_spec
        sizes = {name: workload(name).at(suite.name) for name in self.names}
        if self.width is not None:
            _check_width(self.width, suite.name, sizes)
        devices, remarks = dict[str, str](), dict[str, None]()
        for name, size in sizes.items():
            label = f"{name} of suite {suite.name}" if size.hardware else f"suite {suite.name}"
            hardware = size.hardware or suite.hardware
            devices[name], remark = choose_device(
                self.device, hardware, label, is_elsewhere=is_elsewhere
            )
            remarks[remark] = None
        for device in () if is_elsewhere else sorted(set(devices.values())):
            on_it = [name for name in devices if devices[name] == device]
            ready = ready_device(device, self.framework, [sizes[name] for name in on_it], say)
            devices |= dict.fromkeys(on_it, ready)
        return devices, "; ".join(filter(None, remarks))


def _check_width(width: int, suite: str, sizes: Mapping[str, SuiteWorkload]) -> None:
    """Check that every workload has a width.

    Raises:
        HarnessError: one has not; names those that it has.
    """
    for name, size in sizes.items():
        if str(width) not in size.widths:
            widths = ", ".join(size.widths)
            raise HarnessError(
                f"{name} of suite {suite} has no width {width}",
                f"known: {widths}" if widths else "it has one width alone: leave out --width",
            )


def plans_of(
    console: PlainConsole,
    arguments: PlanArguments,
    store: Path,
    options: RunOptions,
    *,
    is_rehearsed: bool,
    has_reference: bool = False,
    speeds: Sequence[MachineSpeed] = (),
) -> list[Plan]:
    """Plan all workloads, so that mistakes appear before the first one trains.

    Args:
        console: shows the plans.
        arguments: the requested run.
        store: folder of the records; nothing is written to it.
        options: the trials' options on this machine.
        is_rehearsed: whether to test the submission's first steps.
        has_reference: whether the reference runs before and after each study.
        speeds: of plans that will run into the store as well.
    """
    from harness.cli.machine import interruptible, say_on
    from harness.runs.run import plan_here, rehearse_plan
    from harness.runs.with_reference import with_reference

    requests, remark = arguments.requests(say_on(console))
    plans = []
    with interruptible(store):
        for request in requests:
            own = plan_here(request, options, store, say_on(console), speeds)
            plan = with_reference(own, request, store) if has_reference else own
            _show_plan(console, request, plan, (*filter(None, [remark]), *plan.remarks))
            if is_rehearsed and (unread := rehearse_plan(own, store, options)):
                _note(console, unread)
            plans.append(plan)
    return plans


def plans_there(
    console: PlainConsole,
    arguments: PlanArguments,
    store: Path,
    options: RunOptions,
    place: RemoteExecutor,
) -> tuple[list[Plan], RunOptions]:
    """Plan all workloads for the machines of an executor; also returns their trials' options."""
    from harness.cli.machine import interruptible, say_on
    from harness.runs.remote import prepare_there
    from harness.speed.factor import planned_speeds

    say = say_on(console)
    requests, remark = arguments.requests(say, is_elsewhere=True)
    with interruptible(store), place:
        speeds = tuple(set(planned_speeds(store)))
        plans, options = prepare_there(requests, options, speeds, place, say)
    for request, plan in zip(requests, plans, strict=True):
        _show_plan(console, request, plan, (*filter(None, [remark]), *plan.remarks))
    return list(plans), options


def plans_to_estimate(
    console: PlainConsole,
    arguments: PlanArguments,
    store: Path,
    options: RunOptions,
    *,
    is_elsewhere: bool,
    has_reference: bool = False,
) -> list[Plan]:
    """Plan all workloads for an estimate only: nothing trains, and no engine is contacted.

    Budgets are those of this machine, or of the suite's reference machine if the trials would run
    on other machines.

    Args:
        console: shows the plans.
        arguments: the requested run.
        store: folder of the records; nothing is written to it.
        options: the trials' options on this machine.
        is_elsewhere: whether they would run on other machines.
        has_reference: whether the reference would run before and after each study.
    """
    from harness.cli.machine import say_on
    from harness.execution.devices import check_devices
    from harness.plan.plan import plan

    if not is_elsewhere:
        return plans_of(
            console, arguments, store, options, is_rehearsed=False, has_reference=has_reference
        )
    requests, _ = arguments.requests(say_on(console), is_elsewhere=True)
    for request in requests:
        check_devices(request, options, cores=None)
    console.print("budgets are the suite's own; a run measures the speed of the machines it gets")
    return [plan(request) for request in requests]


def _show_plan(
    console: PlainConsole, request: PlanRequest, plan: Plan, remarks: tuple[str, ...]
) -> None:
    for line in plan_lines(request, plan):
        console.print(line)
    for remark in remarks:
        _note(console, remark)


def _note(console: PlainConsole, remark: str) -> None:
    console.print(f"note: {remark}", style="yellow")
