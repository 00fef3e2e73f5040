"""Reads the machine's state: its speed, the load by other programs, and throttling."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from statistics import median
from typing import NamedTuple

from harness.machine import gpus
from harness.machine.cores import Cores, allowed_cores
from harness.machine.gpu_watch import GpuWatch
from harness.machine.processes import wait_for_exits
from harness.machine.readings import MachineReading
from harness.machine.speed_probe import VERSION, speed_probe_s

GPU_PROBES = 10
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class ProcessorTimes(NamedTuple):
    """CPU seconds of some cores since boot, and the number of cores."""

    busy_s: float
    stolen_s: float
    processors: float


def reading(device: str, threads: int, cores: Cores | None = None) -> MachineReading:
    """Read the machine, once no process is exiting and releasing its memory.

    Args:
        device: the trial's device.
        threads: how many CPU threads it uses.
        cores: how it is pinned, if it is: the speed probe then runs on the worker's cores.
    """
    wait_for_exits()
    probe_s = speed_probe_s(threads, cores.worker if cores else ())
    load_average, throttles, at_s = os.getloadavg()[0], throttle_count(), time.monotonic()
    machine = MachineReading(
        speed_probe_s=probe_s,
        speed_probe_version=VERSION,
        cores=cores,
        load_average=load_average,
        throttled=throttles,
        at_s=at_s,
        **processor_times()._asdict(),
    )
    if cores is not None:
        own_busy_s = processor_times(cores.worker).busy_s
        machine = machine.model_copy(update={"worker_busy_s": own_busy_s})
    if not device.startswith("cuda"):
        return machine
    return machine.model_copy(update={"accelerator": gpus.state(device)})


class MachineReader:
    """Takes the two readings of a trial; on CUDA it watches the GPU between them.

    Args:
        device: what the trial runs on.
        threads: with how many it computes.
        cores: how it is pinned, if it is.
        probe: a fixed piece of work on the device, which returns when it is finished.
    """

    def __init__(
        self, device: str, threads: int, cores: Cores | None, probe: Callable[[], None]
    ) -> None:
        self._device, self._threads, self._cores, self._probe = device, threads, cores, probe
        self._watch: GpuWatch | None = None

    def __call__(self) -> MachineReading:
        """Read the machine now."""
        if not self._device.startswith("cuda"):
            return reading(self._device, self._threads, self._cores)
        load = self._watch.stop() if self._watch else None
        machine = reading(self._device, self._threads, self._cores)
        gpu_readings = {"gpu_probe_s": self._gpu_probe_s()} | ({"gpu_load": load} if load else {})
        self._watch = None if self._watch else GpuWatch(self._device)
        return machine.model_copy(update=gpu_readings)

    def _gpu_probe_s(self) -> float:
        """The median time of some probes on the GPU, after one to warm it up."""
        return median(_seconds(self._probe) for _ in range(1 + GPU_PROBES))


def _seconds(work: Callable[[], None]) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def processor_times(cores: Collection[int] | None = None) -> ProcessorTimes:
    """The counters of some cores, by default of all allowed ones."""
    cores = allowed_cores() if cores is None else cores
    busy_ticks = stolen_ticks = 0
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *fields = line.split()
        if not name.startswith("cpu") or not name[3:].isdigit() or int(name[3:]) not in cores:
            continue
        user, nice, system, _, _, irq, soft_irq, steal = map(int, fields[:8])
        busy_ticks += user + nice + system + irq + soft_irq
        stolen_ticks += steal
    return ProcessorTimes(busy_ticks / _TICKS_PER_S, stolen_ticks / _TICKS_PER_S, float(len(cores)))


def throttle_count() -> int | None:
    """How often the CPU has been throttled because of heat; None where the kernel does not report
    it.
    """
    files = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
    counts = [int(file.read_text(encoding="ascii")) for file in files]
    return sum(counts) if counts else None


def busy_fractions(look_s: float) -> tuple[float, float]:
    """Observe the machine's load for some seconds, during which this process must be idle.

    Returns: the fractions of the allowed cores' time used by other programs and taken by the
        hypervisor.
    """
    before, start_s = processor_times(), time.monotonic()
    time.sleep(look_s)
    after, seconds = processor_times(), time.monotonic() - start_s
    available_s = seconds * after.processors
    others_fraction = (after.busy_s - before.busy_s) / available_s
    stolen_fraction = (after.stolen_s - before.stolen_s) / available_s
    return min(1.0, max(0.0, others_fraction)), min(1.0, max(0.0, stolen_fraction))
