"""The machine's speed, measured by training: AdamW steps of the workload's own model.

A budget is scaled so that tuned AdamW makes as many steps within it here as on the suite's
reference machine. The speed is therefore measured in a short reference training in the trial's
framework, with its batch size, precision and threads: the median over rounds of the seconds per
step, and the time spent outside steps. The workload declares both numbers for the reference machine
in torch. Both frameworks are compared with these, so a budget has as many steps in jax as in torch.

The speed is cached under everything that can affect it (`conditions`) and measured anew if one of
these changes. While other programs keep the CPUs busy it is measured for this run only. Further
trials of a store are planned with the speed of those that it already holds.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.canonical import sha256_json
from harness.core.errors import HarnessError
from harness.machine.hardware import environment, fingerprint
from harness.machine.host_monitor import busy_fractions
from harness.machine.variables import kernel_variables
from harness.plan.plan import Plan, PlanRequest, workload_at
from harness.plan.trial import MachineSpeed
from harness.providers import registry
from harness.record.store import read_record, record_paths
from harness.speed.known_speeds import read_speed, write_speed
from harness.speed.reference_training import IDLE, REFERENCE, measure
from harness.submission.resolution import resolve
from workloads.spec import ReferenceSpeed

if TYPE_CHECKING:
    from harness.execution.base import RunOptions

VERSION = 1
"""Version of the measurement; cached speeds of another version are ignored."""
LARGEST = 20.0
LOOK_S = 0.5

Say = Callable[[str], None]


def machine_speed(
    request: PlanRequest, options: RunOptions, plan_speeds: Iterable[MachineSpeed], say: Say
) -> MachineSpeed | None:
    """This machine's speed on a workload; None if budgets do not scale with it.

    An unscored budget is scaled only by its command-line flag.

    Args:
        request: suite, workload, framework and device.
        options: the trials' threads and folders.
        plan_speeds: the speeds with which trials of the same store were planned; one of this
            machine is reused.
        say: receives a line that says what is measured and why.

    Raises:
        HarnessError: reference training failed, or the machine is more than twenty times faster or
            slower than the reference machine.
    """
    if reference_speed(request) is None or request.budget_scale != 1.0:
        return None
    key = _key(request, options)
    return (
        next((speed for speed in plan_speeds if speed.conditions == key), None)
        or _quiet_speed(key, say)
        or measured_speed(request, options, say)
    )


def remembered_speed(request: PlanRequest, options: RunOptions) -> MachineSpeed | None:
    """The cached speed, without measuring; None if there is none."""
    return None if reference_speed(request) is None else read_speed(_key(request, options))


def measured_speed(request: PlanRequest, options: RunOptions, say: Say) -> MachineSpeed:
    """Measure the speed, and cache it if the machine is idle.

    Raises:
        HarnessError: as `machine_speed`; or the suite's hardware differs in kind from the request's
            device.
    """
    reference = reference_speed(request)
    if reference is None:
        raise HarnessError(
            f"budgets of {request.workload} in suite {request.suite} do not scale with the speed "
            f"of {request.device}",
            "they are those of its workload.toml",
        )
    say(f"measuring this machine's speed: {REFERENCE} on {request.workload} ({request.framework})")
    measurement = measure(request, options, say)
    speed = MachineSpeed(
        step_s=float(f"{measurement.step_s:.4g}"),
        startup_s=round(measurement.startup_s, 3),
        reference=reference,
        spread=round(measurement.spread, 3),
        conditions=_key(request, options),
    )
    _check_plausible(speed, request)
    if measurement.is_of_an_idle_machine:
        write_speed(speed)
    else:
        say(
            f"this machine is not idle (rounds differ by {measurement.spread:.0%}, other programs "
            f"take {measurement.others:.0%}): the speed stands for this run alone"
        )
    return speed


def reference_speed(request: PlanRequest) -> ReferenceSpeed | None:
    """The declared speed of the suite's reference machine.

    None if the workload declares none, the request's device is of another kind, or the reference
    submission does not support the request's framework.
    """
    device = registry.hardware_of(request.suite, request.workload).device
    if request.device.partition(":")[0] != device:
        return None
    if request.framework not in resolve(REFERENCE).frameworks:
        return None
    return workload_at(replace(request, variant="base")).budget.reference


def conditions(request: PlanRequest, options: RunOptions) -> dict[str, Any]:
    """Everything that a measurement depends on, as the key of the cache."""
    values: dict[str, Any] = {
        "version": VERSION,
        "hardware": fingerprint(request.device),
        "quota": _processor_quota(),
        "threads": options.threads,
        "framework": request.framework,
        "python": platform.python_version(),
        "packages": environment().packages,
        "variables": kernel_variables(),
        "suite": request.suite,
        "workload": registry.workload(request.workload).content_hash(request.suite),
        "reference": resolve(REFERENCE).ref.content_hash,
    }
    # one device is not named, so that what was measured before there could be several still holds
    return values if request.devices == 1 else values | {"devices": request.devices}


def _key(request: PlanRequest, options: RunOptions) -> str:
    return sha256_json(conditions(request, options))[:16]


def planned_speeds(store: Path) -> Iterator[MachineSpeed]:
    """The speeds with which a store's trials were planned."""
    speeds = (read_record(path).trial.budget.speed for path in record_paths(store))
    return (speed for speed in speeds if speed is not None)


def speeds_of(plan: Plan) -> tuple[MachineSpeed, ...]:
    """The speeds by which the budgets of a plan were scaled, without duplicates."""
    speeds = (trial.budget.speed for trial in plan.trials)
    return tuple(dict.fromkeys(speed for speed in speeds if speed is not None))


def _quiet_speed(key: str, say: Say) -> MachineSpeed | None:
    """The cached speed, unless other programs are slowing the machine now."""
    speed = read_speed(key)
    if speed is None:
        return None
    others_fraction, stolen_fraction = busy_fractions(LOOK_S)
    if others_fraction + stolen_fraction <= IDLE:
        return speed
    say(f"other programs take {others_fraction + stolen_fraction:.0%} of the processors")
    return None


def _check_plausible(speed: MachineSpeed, request: PlanRequest) -> None:
    ratio = speed.step_s / speed.reference.step_s
    if not 1.0 / LARGEST <= ratio <= LARGEST:
        raise HarnessError(
            f"a step takes {ratio:.2g} times as long here as on the reference machine of "
            f"suite {request.suite}; between {1 / LARGEST:g} and {LARGEST:g} are allowed",
            "measure it again on an idle machine: harness doctor --measure",
        )


def _processor_quota() -> str:
    """The CPU quota of the control group, as set by containers; "" if there is none."""
    try:
        return Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
