"""What `harness doctor` says of this machine and a suite, as rows of a name and a text."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.machine.cores import allowed_cores, pinned, taken_cores, text
from harness.machine.hardware import Hardware, hardware
from harness.machine.host_monitor import accelerator, busy_fractions, throttle_count
from harness.machine.readings import GpuState
from harness.plan.plan import PlanRequest
from harness.plan.trial import MachineSpeed
from harness.providers import registry
from harness.speed.factor import Say, measured_speed, reference_speed, remembered_speed
from harness.speed.reference_training import REFERENCE
from harness.submission.reference import Framework
from harness.submission.resolution import resolve
from workloads.spec import Suite

if TYPE_CHECKING:
    from harness.execution.base import RunOptions

LOOK_S = 1.0
QUIET_FRACTION = 0.05
"""Below this, what others take of the processors is not called a disturbance."""
OVERHEAD_S = 5.0
"""What a trial takes beside clock and warm-up: start, data, evaluation. A rough figure."""


@dataclass(frozen=True)
class Diagnosis:
    """All that was found."""

    rows: tuple[tuple[str, str], ...]
    differences: tuple[str, ...]
    interference: tuple[str, ...]


def diagnose(suite: Suite, device: str, options: RunOptions, say: Say | None = None) -> Diagnosis:
    """Look at this machine for about two seconds; longer if its speed is to be measured.

    Args:
        suite: what is to run here.
        device: what its trials would run on.
        options: their threads and folders.
        say: if given, the speed is measured on each workload, and this hears of each in a line.
    """
    speeds = _speeds(suite, device, options, say)
    found, gpu = hardware(device), accelerator() if device.startswith("cuda") else None
    differences = tuple(_differences(suite, found))
    others, stolen = busy_fractions(LOOK_S)
    interference = tuple(_interference(others, stolen, gpu))
    rows = [
        ("suite", f"{suite.name}, meant for {suite.hardware.name}"),
        ("machine", _machine(found)),
        ("differs", "; ".join(differences) or "nothing"),
        *_speed_rows(suite, speeds),
        ("cores", _cores(suite, device)),
        ("others", f"{100 * others:.0f} % of the processors; load {os.getloadavg()[0]:.2f}"),
        ("stolen", f"{100 * stolen:.0f} % by the hypervisor"),
        ("throttled", _throttled()),
        *_gpu_rows(gpu),
        ("disturbs", "; ".join(interference) or "nothing"),
        ("isolation", _isolation()),
        ("time", _time(suite, speeds)),
    ]
    return Diagnosis(tuple(rows), differences, interference)


def _machine(found: Hardware) -> str:
    gpu = f", {found.accelerator}" if found.accelerator else ""
    processor = f"{found.cores} cores of {found.processor}"
    return f"{processor}, {found.memory_gib} GiB{gpu}"


def _differences(suite: Suite, found: Hardware) -> Iterator[str]:
    wanted = suite.hardware
    if found.device != wanted.device:
        yield f"device {found.device}, not {wanted.device}"
    if found.cores < wanted.cores:
        yield f"{found.cores} cores, not {wanted.cores}"
    model = wanted.name.rpartition(" ")[2]
    if wanted.device == "cuda" and found.device == "cuda" and model not in str(found.accelerator):
        yield f"GPU {found.accelerator}, not {model}"


def _speeds(
    suite: Suite, device: str, options: RunOptions, say: Say | None
) -> dict[tuple[str, Framework], MachineSpeed]:
    """The speeds that are known, by workload and framework; measured anew if somebody listens."""
    found = {}
    for framework, name in product(resolve(REFERENCE).frameworks, suite.workloads):
        request = PlanRequest(name, REFERENCE, suite.name, framework, device=device)
        if name not in registry.workload_names() or reference_speed(request) is None:
            continue
        if say is not None and find_spec(framework) is not None:
            found[name, framework] = measured_speed(request, options, say)
        elif (speed := remembered_speed(request, options)) is not None:
            found[name, framework] = speed
    return found


def _speed_rows(
    suite: Suite, speeds: Mapping[tuple[str, Framework], MachineSpeed]
) -> Iterator[tuple[str, str]]:
    if not speeds:
        yield "speed", "not measured yet; a run does it, or harness doctor --measure"
    for framework in resolve(REFERENCE).frameworks:
        shown = [
            f"{name} {1.0 / speed.step_s:,.4g} ({_budget_s(suite, name, speed):.4g} s)"
            for name in suite.workloads
            if (speed := speeds.get((name, framework))) is not None
        ]
        if shown:
            yield "speed", f"{framework}, adamw steps a second (budget): {', '.join(shown)}"


def _budget_s(suite: Suite, workload: str, speed: MachineSpeed | None) -> float:
    """The budget of a workload's trial on this machine."""
    runtime_s = registry.workload(workload).at(suite.name).budget.runtime_s
    return speed.budget_s(runtime_s) if speed else runtime_s


def _cores(suite: Suite, device: str) -> str:
    """How a trial would be pinned that began now."""
    if device != "cpu":
        return "not pinned: trials run on another device"
    taken = taken_cores()
    with pinned(min(suite.hardware.cores, len(allowed_cores()))) as cores:
        pins = f"a trial's worker is pinned to {text(cores.worker)}, its referee to "
        pins += text(cores.referee)
    shared = f", {text(cores.shared)} shared with it" if cores.shared else ""
    return pins + (f"; another trial has {text(taken)}{shared}" if taken else "")


def _interference(others: float, stolen: float, gpu: GpuState | None) -> Iterator[str]:
    if others > QUIET_FRACTION:
        yield "other processes"
    if stolen > QUIET_FRACTION:
        yield "the hypervisor"
    if gpu and gpu.is_throttled:
        yield "a throttled GPU"
    if gpu and (gpu.use_percent or 0) > 100 * QUIET_FRACTION:
        yield "others on the GPU"


def _throttled() -> str:
    count = throttle_count()
    return "this kernel does not say" if count is None else f"{count} times since the start"


def _gpu_rows(gpu: GpuState | None) -> Iterator[tuple[str, str]]:
    if gpu is not None:
        slowed = "throttled" if gpu.is_throttled else "not throttled"
        yield (
            "gpu",
            f"{gpu.name}, {gpu.temperature_c} C, {gpu.clock_mhz} MHz, "
            f"{gpu.use_percent} % in use, {slowed}",
        )


def _isolation() -> str:
    from harness.sandboxes.kernel.sandbox import layers

    try:
        found = layers()
    except HarnessError as error:
        return error.message
    active = ", ".join(layer.name for layer in found if layer.is_active) or "none"
    lacking = ", ".join(layer.name for layer in found if not layer.is_active)
    return f"--sandbox kernel: {active}" + (f"; lacking: {lacking}" if lacking else "")


def _time(suite: Suite, speeds: Mapping[tuple[str, Framework], MachineSpeed]) -> str:
    rules, clock_s, warm_s, trials = suite.rulesets["external"], 0.0, 0.0, 0
    for name in suite.workloads:
        if name not in registry.workload_names():
            continue
        size, count = registry.workload(name).at(suite.name), rules.studies * rules.trials
        trials += count
        clock_s += count * _budget_s(suite, name, speeds.get((name, "torch")))
        warm_s += count * (size.limits.warmup_s + OVERHEAD_S)
    return (
        f"a submission: {trials} trials, at most {clock_s / 60:.0f} min on the clock and "
        f"{(clock_s + warm_s) / 60:.0f} min in all"
    )
