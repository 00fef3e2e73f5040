"""What `harness doctor` says of this machine and a suite, as rows of a name and a text."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness import registry
from harness.conditions import accelerator, processor_times, throttle_count, throttles
from harness.cores import allowed_cores, pinned, taken_cores, text
from harness.errors import HarnessError
from harness.factor import machine_factor, machine_s
from harness.hardware import hardware
from harness.yardstick import yardstick_s
from workloads.spec import Suite

LOOK_S = 1.0
QUIET_SHARE = 0.05
"""Below this, what others take of the processors is not called a disturbance."""
OVERHEAD_S = 5.0
"""What a trial takes beside clock and warm-up: start, data, evaluation. A rough figure."""


@dataclass(frozen=True)
class Diagnosis:
    """All that was found."""

    rows: tuple[tuple[str, str], ...]
    differences: tuple[str, ...]
    disturbances: tuple[str, ...]


def diagnose(suite: Suite, device: str, *, anew: bool = False) -> Diagnosis:
    """Look at this machine for about two seconds.

    Args:
        suite: what is to run here.
        device: what its trials would run on.
        anew: measure the machine's speed even if it is known.
    """
    found, gpu = hardware(device), accelerator() if device.startswith("cuda") else None
    differences = tuple(_differences(suite, found))
    others, stolen = _others()
    disturbances = tuple(_disturbances(others, stolen, gpu))
    rows = [
        ("suite", f"{suite.name}, meant for {suite.hardware.name}"),
        ("machine", _machine(found)),
        ("differs", "; ".join(differences) or "nothing"),
        *_speed(suite, device, anew=anew),
        ("cores", _cores(suite, device)),
        ("others", f"{100 * others:.0f} % of the processors; load {os.getloadavg()[0]:.2f}"),
        ("stolen", f"{100 * stolen:.0f} % by the hypervisor"),
        ("throttled", _throttled()),
        *_gpu_rows(gpu),
        ("disturbs", "; ".join(disturbances) or "nothing"),
        ("isolation", _isolation()),
        ("time", _time(suite, device)),
    ]
    return Diagnosis(tuple(rows), differences, disturbances)


def _machine(found: dict[str, Any]) -> str:
    gpu = f", {found['accelerator']}" if found["accelerator"] else ""
    processor = f"{found['cores']} cores of {found['processor']}"
    return f"{processor}, {found['memory_gib']} GiB{gpu}"


def _differences(suite: Suite, found: dict[str, Any]) -> Iterator[str]:
    wanted = suite.hardware
    if found["device"] != wanted.device:
        yield f"device {found['device']}, not {wanted.device}"
    if found["cores"] < wanted.cores:
        yield f"{found['cores']} cores, not {wanted.cores}"
    model = wanted.name.rpartition(" ")[2]
    if (
        wanted.device == "cuda"
        and found["device"] == "cuda"
        and model not in str(found["accelerator"])
    ):
        yield f"GPU {found['accelerator']}, not {model}"


def _speed(suite: Suite, device: str, *, anew: bool) -> Iterator[tuple[str, str]]:
    cores, reference = suite.hardware.cores, suite.hardware.yardstick_s
    best_s, now_s = machine_s(cores, anew=anew), yardstick_s(min(cores, len(allowed_cores())))
    against = f", the suite's reference {1e3 * reference:.0f} ms" if reference else ""
    yield "speed", f"yardstick {1e3 * now_s:.0f} ms now, {1e3 * best_s:.0f} ms at best{against}"
    factor = machine_factor(suite, device)
    yield "budgets", "the suite's own" if factor == 1.0 else f"{factor:g} times the suite's"


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


def _others() -> tuple[float, float]:
    """What others take of the processors, and what the hypervisor does, as shares."""
    before, start_s = processor_times(), time.monotonic()
    time.sleep(LOOK_S)
    after, seconds = processor_times(), time.monotonic() - start_s
    available_s = seconds * after["processors"]
    shares = [(after[k] - before[k]) / available_s for k in ("busy_s", "stolen_s")]
    return min(1.0, max(0.0, shares[0])), min(1.0, max(0.0, shares[1]))


def _disturbances(others: float, stolen: float, gpu: dict[str, Any] | None) -> Iterator[str]:
    if others > QUIET_SHARE:
        yield "other processes"
    if stolen > QUIET_SHARE:
        yield "the hypervisor"
    if gpu and throttles(gpu):
        yield "a throttled GPU"
    if gpu and (gpu["use_percent"] or 0) > 100 * QUIET_SHARE:
        yield "others on the GPU"


def _throttled() -> str:
    count = throttle_count()
    return "this kernel does not say" if count is None else f"{count} times since the start"


def _gpu_rows(gpu: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    if gpu is not None:
        slowed = "throttled" if throttles(gpu) else "not throttled"
        yield (
            "gpu",
            f"{gpu['name']}, {gpu['temperature_c']} C, {gpu['clock_mhz']} MHz, "
            f"{gpu['use_percent']} % in use, {slowed}",
        )


def _isolation() -> str:
    from harness.sandboxes.kernel import layers

    try:
        found = layers()
    except HarnessError as error:
        return error.message
    active = ", ".join(layer.name for layer in found if layer.is_active) or "none"
    lacking = ", ".join(layer.name for layer in found if not layer.is_active)
    return f"--sandbox kernel: {active}" + (f"; lacking: {lacking}" if lacking else "")


def _time(suite: Suite, device: str) -> str:
    rules, clock_s, warm_s, trials = suite.rulesets["external"], 0.0, 0.0, 0
    for name in suite.workloads:
        if name not in registry.workload_names():
            continue
        size, count = registry.workload(name).at(suite.name), rules.studies * rules.trials
        trials += count
        clock_s += count * size.budget.runtime_s * machine_factor(suite, device)
        warm_s += count * (size.limits.warmup_s + OVERHEAD_S)
    return (
        f"a submission: {trials} trials, at most {clock_s / 60:.0f} min on the clock and "
        f"{(clock_s + warm_s) / 60:.0f} min in all"
    )
