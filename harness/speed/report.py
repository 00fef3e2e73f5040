"""The report of `harness doctor` on this machine and a suite, as (name, text) rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.frameworks.load import cuda_of_wheel
from harness.machine import gpus
from harness.machine.cores import allowed_cores, pin_cores, taken_cores, text
from harness.machine.gpu import GpuState
from harness.machine.gpu_checks import Needs, ready
from harness.machine.hardware import Hardware, hardware
from harness.machine.host_monitor import busy_fractions, throttle_count
from harness.plan.plan import PlanRequest
from harness.plan.trial import MachineSpeed
from harness.providers import registry
from harness.providers.table import DEFAULT_FRAMEWORK
from harness.speed.factor import Say, measured_speed, reference_speed, remembered_speed
from harness.speed.reference_training import REFERENCE
from harness.submission.reference import Framework
from harness.submission.resolution import resolve
from workloads.spec import Suite

if TYPE_CHECKING:
    from harness.execution.base import RunOptions

LOOK_S = 1.0
QUIET_FRACTION = 0.05
"""CPU use of other programs below this fraction is not reported as a disturbance."""
OVERHEAD_S = 5.0
"""Approximate time of a trial outside training and warm-up: start, data, evaluation; in seconds."""


@dataclass(frozen=True)
class Diagnosis:
    """The findings about this machine."""

    rows: tuple[tuple[str, str], ...]
    differences: tuple[str, ...]
    interference: tuple[str, ...]


def diagnose(suite: Suite, device: str, options: RunOptions, say: Say | None = None) -> Diagnosis:
    """Inspect this machine for about two seconds; longer if its speed is to be measured.

    Args:
        suite: the suite to run here.
        device: the device of its trials.
        options: the trials' threads and folders.
        say: if given, the speed is measured on each workload, and this receives a line for each.
    """
    speeds = _speeds(suite, device, options, say)
    machine, gpu = hardware(device), gpus.state(device) if device.startswith("cuda") else None
    differences = tuple(_differences(suite, machine))
    others, stolen_fraction = busy_fractions(LOOK_S)
    interference = tuple(_interference(others, stolen_fraction, gpu))
    rows = [
        ("suite", f"{suite.name}, meant for {suite.hardware.name}"),
        ("machine", _machine(machine)),
        ("differs", "; ".join(differences) or "nothing"),
        *_speed_rows(suite, speeds),
        ("cores", _cores(suite, device)),
        (
            "others",
            f"{100 * others:.0f} % of the processors; load {os.getloadavg()[0]:.2f}",
        ),
        ("stolen", f"{100 * stolen_fraction:.0f} % by the hypervisor"),
        ("throttled", _throttle_text()),
        *_gpu_rows(device, gpu),
        ("disturbs", "; ".join(interference) or "nothing"),
        ("isolation", _isolation()),
        ("time", _time(suite, speeds)),
    ]
    return Diagnosis(tuple(rows), differences, interference)


def _machine(machine: Hardware) -> str:
    gpu = f", {machine.accelerator}" if machine.accelerator else ""
    processor = f"{machine.cores} cores of {machine.processor}"
    return f"{processor}, {machine.memory_gib} GiB{gpu}"


def _differences(suite: Suite, machine: Hardware) -> Iterator[str]:
    target = suite.hardware
    if machine.device != target.device:
        yield f"device {machine.device}, not {target.device}"
    if machine.cores < target.cores:
        yield f"{machine.cores} cores, not {target.cores}"
    model = target.name.rpartition(" ")[2]
    if (
        target.device == "cuda"
        and machine.device == "cuda"
        and model not in str(machine.accelerator)
    ):
        yield f"GPU {machine.accelerator}, not {model}"


def _speeds(
    suite: Suite, device: str, options: RunOptions, say: Say | None
) -> dict[tuple[str, Framework], MachineSpeed]:
    """The speeds by (workload, framework): cached ones, or measured anew if `say` is given."""
    speeds = {}
    for framework, name in product(resolve(REFERENCE).frameworks, suite.workloads):
        request = PlanRequest(name, REFERENCE, suite.name, framework, device=device)
        if name not in registry.workload_names() or reference_speed(request) is None:
            continue
        if say is not None and find_spec(framework) is not None:
            speeds[name, framework] = measured_speed(request, options, say)
        elif (speed := remembered_speed(request, options)) is not None:
            speeds[name, framework] = speed
    return speeds


def _speed_rows(
    suite: Suite, speeds: Mapping[tuple[str, Framework], MachineSpeed]
) -> Iterator[tuple[str, str]]:
    if not speeds:
        yield "speed", "not measured yet; a run does it, or harness doctor --measure"
    for framework in resolve(REFERENCE).frameworks:
        texts = [
            f"{name} {1.0 / speed.step_s:,.4g} ({_budget_s(suite, name, speed):.4g} s)"
            for name in suite.workloads
            if (speed := speeds.get((name, framework))) is not None
        ]
        if texts:
            yield "speed", f"{framework}, adamw steps a second (budget): {', '.join(texts)}"


def _budget_s(suite: Suite, workload: str, speed: MachineSpeed | None) -> float:
    """The budget of a workload's trial on this machine."""
    runtime_s = registry.workload(workload).at(suite.name).budget.runtime_s
    return speed.budget_s(runtime_s) if speed else runtime_s


def _cores(suite: Suite, device: str) -> str:
    """How a trial starting now would be pinned to CPUs."""
    if device != "cpu":
        return "not pinned: trials run on another device"
    busy = taken_cores()
    with pin_cores(min(suite.hardware.cores, len(allowed_cores()))) as cores:
        pins = f"a trial's worker is pinned to {text(cores.worker)}, its referee to "
        pins += text(cores.referee)
    overlap = f", {text(cores.shared)} shared with it" if cores.shared else ""
    return pins + (f"; another trial has {text(busy)}{overlap}" if busy else "")


def _interference(others: float, stolen_fraction: float, gpu: GpuState | None) -> Iterator[str]:
    if others > QUIET_FRACTION:
        yield "other processes"
    if stolen_fraction > QUIET_FRACTION:
        yield "the hypervisor"
    if gpu and gpu.is_throttled:
        yield "a throttled GPU"
    if gpu and (gpu.use_percent or 0) > 100 * QUIET_FRACTION:
        yield "others on the GPU"


def _throttle_text() -> str:
    count = throttle_count()
    return "this kernel does not say" if count is None else f"{count} times since the start"


def _gpu_rows(device: str, gpu: GpuState | None) -> Iterator[tuple[str, str]]:
    if device.startswith("cuda") and (why := _why_no_gpu(device)):
        yield "lacks", why
    if gpu is not None:
        throttling = "throttled" if gpu.is_throttled else "not throttled"
        yield (
            "gpu",
            f"{gpu.name}, {gpu.temperature_c} C, {gpu.clock_mhz} MHz, "
            f"{gpu.use_percent} % in use, {throttling}",
        )


def _why_no_gpu(device: str) -> str:
    """Why a trial in the default framework could not run on a GPU now; empty if it could."""
    needs = Needs(
        DEFAULT_FRAMEWORK, cuda_of_wheel(DEFAULT_FRAMEWORK), memory_gib=0.0, is_compiled=True
    )
    try:
        ready(device, needs)
    except HarnessError as error:
        return error.in_one_line
    return ""


def _isolation() -> str:
    from harness.sandboxes.kernel.sandbox import layers

    try:
        all_layers = layers()
    except HarnessError as error:
        return error.message
    active = ", ".join(layer.name for layer in all_layers if layer.is_active) or "none"
    inactive = ", ".join(layer.name for layer in all_layers if not layer.is_active)
    return f"--sandbox kernel: {active}" + (f"; lacking: {inactive}" if inactive else "")


def _time(suite: Suite, speeds: Mapping[tuple[str, Framework], MachineSpeed]) -> str:
    rules, clock_s, warm_s, trials = suite.rulesets["external"], 0.0, 0.0, 0
    for name in suite.workloads:
        if name not in registry.workload_names():
            continue
        size, count = registry.workload(name).at(suite.name), rules.studies * rules.trials
        trials += count
        clock_s += count * _budget_s(suite, name, speeds.get((name, DEFAULT_FRAMEWORK)))
        warm_s += count * (size.limits.warmup_s + OVERHEAD_S)
    return (
        f"a submission: {trials} trials, at most {clock_s / 60:.0f} min on the clock and "
        f"{(clock_s + warm_s) / 60:.0f} min in all"
    )
