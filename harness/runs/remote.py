"""Planning for remote machines: on one of them, and with its speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness.core.errors import HarnessError
from harness.execution.base import RemoteExecutor, Resources, RunOptions
from harness.execution.devices import check_devices
from harness.execution.rehearsal import rehearse
from harness.execution.remote import REFEREE_GIB
from harness.execution.resolved import resolve_trial
from harness.machine.cores import allowed_cores
from harness.machine.hardware import hardware
from harness.plan.plan import Plan, PlanRequest, plan, workload_at
from harness.plan.trial import MachineSpeed
from harness.providers import registry
from harness.runs.device import ready_device
from harness.speed.factor import machine_speed
from workloads.spec import Suite


@dataclass(frozen=True)
class Preparation:
    """The report of one of the machines that trials will run on, before the first trial."""

    plans: tuple[Plan, ...]
    """The plans, with budgets scaled by that machine's speed."""
    fingerprint: str
    """Hash of its hardware. Only such machines may run the trials, since budgets fit no other."""
    notes: tuple[str, ...]
    """The measurements, as lines of text."""


def prepare_there(
    requests: Sequence[PlanRequest],
    options: RunOptions,
    speeds: Sequence[MachineSpeed],
    place: RemoteExecutor,
    say: Callable[[str], None],
) -> tuple[tuple[Plan, ...], RunOptions]:
    """Plan requests for the machines of an executor; returns plans and options of their trials.

    Args:
        requests: the requests to plan.
        options: the trials' threads and folders.
        speeds: the machine speeds with which earlier trials of the same store were planned.
        place: the connection to the machines.
        say: receives lines on progress and measurements.

    Raises:
        HarnessError: the requests are for different devices, one cannot be planned, or its
            submission fails its first steps there.
    """
    _check_alike(requests)
    for request in requests:
        check_devices(request, options, cores=None)
        plan(request)  # what is wrong with it is said before any machine is asked for
    need = Resources(
        cores=options.threads * requests[0].devices,
        gpus=int(requests[0].device != "cpu"),
        memory_gib=max(workload_at(r).limits.memory_gib * r.devices for r in requests)
        + REFEREE_GIB,
        is_timed=True,
    )
    say("planning on one of the machines that trials will run on")
    suites = registry.added_suites()
    answer = place.call(need, prepare, tuple(requests), options, tuple(speeds), suites)
    for note in answer.notes:
        say(note)
    return answer.plans, replace(options, fingerprint=answer.fingerprint)


def _check_alike(requests: Sequence[PlanRequest]) -> None:
    """Check that all requests are for the same kind of device, so that one machine can plan them.

    Raises:
        HarnessError: their devices differ.
    """
    by_device: dict[str, list[str]] = {}
    for request in requests:
        by_device.setdefault(request.device, []).append(request.workload)
    if len(by_device) == 1:
        return
    raise HarnessError(
        "the workloads are meant for different devices and cannot be planned on one machine: "
        + "; ".join(f"{', '.join(names)} on {device}" for device, names in by_device.items()),
        "one command for each: "
        + "; ".join(" ".join(f"--workload {name}" for name in each) for each in by_device.values()),
    )


def prepare(
    requests: Sequence[PlanRequest],
    options: RunOptions,
    speeds: Sequence[MachineSpeed],
    suites: Sequence[Suite] = (),
) -> Preparation:
    """Plan on the machine that executes this, and test the submissions' first steps on it.

    Args:
        requests: the requests to plan.
        options: the trials' threads and folders.
        speeds: the machine speeds with which earlier trials of the same store were planned.
        suites: the suites that were given as files where the command runs.

    Raises:
        HarnessError: as `prepare_there`.
    """
    registry.receive_suites(suites)
    notes: list[str] = []
    plans = []
    sizes = [workload_at(request) for request in requests]
    device = ready_device(requests[0].device, requests[0].framework, sizes, notes.append)
    for request in requests:
        here = replace(request, device=device)
        check_devices(here, options, len(allowed_cores()))
        speed = machine_speed(here, options, speeds, notes.append)
        plans.append(plan(replace(here, speed=speed)))
        if unread := rehearse(resolve_trial(plans[-1].trials[0], options), options):
            notes.append(unread)
    machine = hardware(device)
    notes.append(f"the machines: {machine.accelerator or machine.processor}, {machine.cores} cores")
    return Preparation(tuple(plans), machine.fingerprint, tuple(notes))
