"""Samples a GPU twice a second while a trial runs on it, in a thread of the referee.

Throttling that occurs only under load, mostly because of heat, cannot be seen in the readings
before and after a trial, when the GPU is idle.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from statistics import median

from harness.core.errors import HarnessError
from harness.machine import gpus, nvml
from harness.machine.gpu import POWER_CAP, GpuLoad, GpuState

EVERY_S = 0.5
MOST_SAMPLES = 200_000
"""More than a day of samples; a longer trial keeps the first ones."""


class GpuWatch:
    """Samples a GPU from construction until `stop`, or until it is garbage-collected."""

    def __init__(self, device: str, every_s: float = EVERY_S) -> None:
        self._samples: list[GpuState] = []
        self._end = threading.Event()
        self._thread = threading.Thread(
            target=_look, args=(device, every_s, self._samples, self._end), daemon=True
        )
        weakref.finalize(self, self._end.set)
        self._thread.start()

    def stop(self) -> GpuLoad | None:
        """Stop, and summarise the samples; None if the driver has not answered."""
        self._end.set()
        self._thread.join()
        return load_of(self._samples) if self._samples else None


def _look(device: str, every_s: float, samples: list[GpuState], end: threading.Event) -> None:
    gpu = gpus.find(device)
    if gpu is None:
        return
    try:
        with nvml.open_library() as driver:
            while not end.wait(every_s) and len(samples) < MOST_SAMPLES:
                samples.append(driver.state(gpu.uuid))
    except (HarnessError, nvml.NvmlError):
        return  # what has been seen so far stands


def load_of(samples: Sequence[GpuState]) -> GpuLoad:
    """Summarise samples of a GPU."""
    slowing = 0
    for sample in samples:
        slowing |= sample.slowing
    capped_count = sum(bool((sample.throttle_reasons or 0) & POWER_CAP) for sample in samples)
    return GpuLoad(
        samples=len(samples),
        slowing=slowing,
        capped_fraction=capped_count / len(samples),
        clock_mhz=_of(median, [sample.clock_mhz for sample in samples]),
        use_percent=_of(median, [sample.use_percent for sample in samples]),
        power_w=_of(max, [sample.power_w for sample in samples]),
        temperature_c=_of(max, [sample.temperature_c for sample in samples]),
        memory_mib=_of(max, [sample.memory_mib for sample in samples]),
    )


def _of(summary: Callable[[list[int]], float], values: Sequence[int | None]) -> int | None:
    readings = [value for value in values if value is not None]
    return round(summary(readings)) if readings else None
