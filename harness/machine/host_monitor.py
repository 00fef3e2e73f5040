"""The machine around a trial: how fast it is, what others take of it, whether it is throttled.

A reading is taken before GO, while the worker is frozen, and when all of it has ended, so that
no submission can bring one about that would get it repeated. What is stamped is only what a
submission cannot cause: a speed probe that changed, and processor time that the hypervisor took. On
CUDA also what slows a machine that is cooled and powered as it should be by no load at all: a GPU
that holds its clocks back while it idles, and processors throttled for heat.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.machine.cores import Cores, allowed_cores
from harness.machine.speed_probe import VERSION, speed_probe_s

NVIDIA_SMI = (
    "nvidia-smi",
    "--query-gpu=name,temperature.gpu,clocks.sm,clocks_throttle_reasons.active,utilization.gpu",
    "--format=csv,noheader,nounits",
)
NVIDIA_TIMEOUT_S = 10.0
BENIGN_THROTTLING = 0x1 | 0x2
"""Bits of NVML's reasons that say that the GPU idles or keeps clocks that were asked for."""
SLOWING = 0x8 | 0x20 | 0x40 | 0x80
"""Bits that say that heat or hardware holds the clocks back; a cap on power is an ordinary load."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def reading(device: str, threads: int, cores: Cores | None = None) -> dict[str, Any]:
    """Speed probe, processor times, load, throttling and, on CUDA, the accelerator's state.

    `busy_s` and `stolen_s` are of the processors that this process may use, since they started.

    Args:
        device: what the trial runs on.
        threads: with how many it computes.
        cores: how it is pinned, if it is: the speed probe then runs on the worker's own.
    """
    found: dict[str, Any] = {
        "yardstick_s": speed_probe_s(threads, cores.worker if cores else ()),
        "cores": asdict(cores) if cores else None,
        "yardstick": VERSION,
        "load_average": os.getloadavg()[0],
        "throttled": throttle_count(),
        "at_s": time.monotonic(),
    }
    found |= processor_times()
    if device.startswith("cuda"):
        found["accelerator"] = accelerator(int(device.partition(":")[2] or 0))
    return found


def processor_times() -> dict[str, float]:
    """Busy and stolen seconds of the allowed processors, and how many there are."""
    allowed = allowed_cores()
    busy = stolen = 0
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *fields = line.split()
        if not name.startswith("cpu") or not name[3:].isdigit() or int(name[3:]) not in allowed:
            continue
        user, nice, system, _, _, irq, soft_irq, steal = map(int, fields[:8])
        busy += user + nice + system + irq + soft_irq
        stolen += steal
    return {
        "busy_s": busy / _TICKS_PER_S,
        "stolen_s": stolen / _TICKS_PER_S,
        "processors": float(len(allowed)),
    }


def throttle_count() -> int | None:
    """How often the processors have been throttled for heat; None where the kernel does not say."""
    files = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    counts = [int(file.read_text(encoding="ascii")) for file in files]
    return sum(counts) if counts else None


def accelerator(number: int = 0) -> dict[str, Any] | None:
    """Temperature, clock, use and throttling of a visible NVIDIA GPU; None without its driver."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    chosen = visible.split(",")[number] if visible and visible.count(",") >= number else number
    try:
        done = subprocess.run(
            [*NVIDIA_SMI, f"--id={chosen}"],
            capture_output=True,
            text=True,
            timeout=NVIDIA_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_accelerator(done.stdout)


def parse_accelerator(line: str) -> dict[str, Any] | None:
    """The driver's line on one GPU; a field that it does not support is None."""
    fields = [field.strip() for field in line.strip().partition("\n")[0].split(",")]
    if len(fields) != 5:
        return None
    name, temperature, clock, reasons, use = fields
    return {
        "name": name,
        "temperature_c": _integer(temperature),
        "clock_mhz": _integer(clock),
        "throttle_reasons": _integer(reasons),
        "use_percent": _integer(use),
    }


def _integer(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None


def between(
    before: Mapping[str, Any], after: Mapping[str, Any], trial_cpu_s: float
) -> dict[str, Any]:
    """What two readings say about the time between them.

    Args:
        before: the first.
        after: the second.
        trial_cpu_s: processor seconds that referee and worker used in between.

    Returns:
        `drift`, the speed probe's relative change; `stolen_share` and `others_share` of the allowed
        processors' time; `throttled`, how often more, None if unknown; where a GPU was read,
        `gpu_slowed`, why it was slowed at either reading, as NVML's bits.
    """
    available_s = max(1e-9, (after["at_s"] - before["at_s"]) * after["processors"])
    others_s = after["busy_s"] - before["busy_s"] - trial_cpu_s
    counts = before["throttled"], after["throttled"]
    first, second = before.get("accelerator"), after.get("accelerator")
    slowed = {"gpu_slowed": _slowing(first) | _slowing(second)} if first and second else {}
    return slowed | {
        "drift": after["yardstick_s"] / before["yardstick_s"] - 1.0,
        "stolen_share": max(0.0, after["stolen_s"] - before["stolen_s"]) / available_s,
        "others_share": min(1.0, max(0.0, others_s / available_s)),
        "throttled": None if None in counts else counts[1] - counts[0],
    }


def busy_fractions(look_s: float) -> tuple[float, float]:
    """Look at the machine for some seconds, in which this process must not compute.

    Returns:
        what other programs take of the allowed processors, and what the hypervisor takes, as
        fractions.
    """
    before, start_s = processor_times(), time.monotonic()
    time.sleep(look_s)
    after, seconds = processor_times(), time.monotonic() - start_s
    available_s = seconds * after["processors"]
    others, stolen = ((after[k] - before[k]) / available_s for k in ("busy_s", "stolen_s"))
    return min(1.0, max(0.0, others)), min(1.0, max(0.0, stolen))


def _slowing(gpu: Mapping[str, Any]) -> int:
    return (gpu["throttle_reasons"] or 0) & SLOWING


def interference(machine: Mapping[str, Any], limit: float) -> tuple[str, ...]:
    """Why a trial is stamped, from what `between` gave; empty if it is not.

    Args:
        machine: drift and shares.
        limit: the declared share beyond which each of them disturbs.
    """
    found = []
    if abs(machine["drift"]) > limit:
        found.append(f"the yardstick changed by {100.0 * machine['drift']:+.0f} %")
    if machine["stolen_share"] > limit:
        found.append(f"the hypervisor took {100.0 * machine['stolen_share']:.0f} % of the time")
    if bits := machine.get("gpu_slowed"):
        found.append(f"heat or hardware slowed the GPU (reasons {bits:#x})")
    if "gpu_slowed" in machine and machine["throttled"]:
        found.append(f"the processors were throttled {machine['throttled']} times")
    return tuple(found)


def throttles(state: Mapping[str, Any]) -> bool:
    """Whether a GPU is slowed by heat, power or hardware now."""
    return bool((state["throttle_reasons"] or 0) & ~BENIGN_THROTTLING)
