"""Readings of the machine before and after a trial, and their comparison.

Readings are taken before GO, while the worker is frozen, and after the worker has ended, so that a
submission cannot provoke a rerun. Only what a submission cannot cause is a reason for a rerun
(`interference`): a changed speed probe, and CPU time taken by the hypervisor. On CUDA it also
includes throttling because of heat, of the GPU or the CPU, which does not occur on a machine with
proper cooling and power. CPU time used by other programs (`contention`) flags a trial too, but is
not a reason for a rerun, as a submission could start such programs.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.core.recorded import Number, Recorded, Seconds, Whole
from harness.machine.cores import Cores
from harness.machine.gpu import GpuLoad, GpuState
from harness.machine.speed_probe import REPEATS


class MachineReading(Recorded):
    """The machine at one moment.

    `busy_s` and `stolen_s` are totals since boot over the cores that a trial may use.
    """

    speed_probe_s: Seconds
    speed_probe_version: Whole
    """The version of the speed probe; times of different versions are not comparable."""
    cores: Cores | None
    """How the trial is pinned; None if it is not."""
    load_average: Number
    """The one-minute load average."""
    throttled: Whole | None
    """How often the processors have been throttled for heat; None if the kernel does not say."""
    at_s: Seconds
    """When it was taken, by the monotonic clock."""
    busy_s: Seconds
    stolen_s: Seconds
    processors: Number
    accelerator: GpuState | None = None
    """On CUDA only; None without the driver."""
    gpu_probe_s: Seconds | None = None
    """Seconds of a fixed number of matrix products on the GPU; on CUDA only."""
    gpu_load: GpuLoad | None = None
    """The GPU's load since the first reading; in the second reading only."""
    own_s: Seconds | None = None
    """CPU seconds of the referee so far; in the first reading only."""
    worker_busy_s: Seconds | None = None
    """As `busy_s`, for the worker's own cores; missing if it is not pinned."""


class MachineChange(Recorded):
    """What two readings say about the time between them."""

    after: MachineReading
    """The second reading."""
    drift: Number
    """The speed probe's relative change."""
    stolen_fraction: Number
    """The fraction of the allowed cores' time taken by the hypervisor."""
    others_fraction: Number
    """The fraction taken by other processes."""
    throttled: Whole | None
    """The increase in CPU throttling events; None if unknown."""
    taken_fraction: Number | None = None
    """The fraction of the worker's own cores taken by others; missing if it is not pinned."""
    gpu_slowed: Whole | None = None
    """NVML's reason bits for a slowed GPU, at either reading or in between; if a GPU was read."""
    gpu_drift: Number | None = None
    """The relative change of the GPU probe's time; on CUDA only."""


def between(
    before: MachineReading, after: MachineReading, worker_cpu_s: float, referee_cpu_s: float
) -> MachineChange:
    """What two readings say about the time between them.

    Args:
        before: the reading at the beginning.
        after: the reading at the end.
        worker_cpu_s: CPU seconds that the worker used in between.
        referee_cpu_s: CPU seconds that the referee used in between.
    """
    available_s = max(1e-9, (after.at_s - before.at_s) * after.processors)
    others_s = after.busy_s - before.busy_s - worker_cpu_s - referee_cpu_s
    is_counted = before.throttled is not None and after.throttled is not None
    change = MachineChange(
        after=after,
        drift=after.speed_probe_s / before.speed_probe_s - 1.0,
        stolen_fraction=max(0.0, after.stolen_s - before.stolen_s) / available_s,
        others_fraction=min(1.0, max(0.0, others_s / available_s)),
        throttled=(after.throttled or 0) - (before.throttled or 0) if is_counted else None,
    )
    shares = _taken_change(before, after, worker_cpu_s, referee_cpu_s)
    return change.model_copy(update=shares | _gpu_change(before, after))


def _taken_change(
    before: MachineReading, after: MachineReading, worker_cpu_s: float, referee_cpu_s: float
) -> dict[str, float]:
    """The fraction of the worker's pinned cores taken by other processes, if it is pinned.

    What the trial itself used is subtracted: the worker's time, and that of the referee if it
    shares these cores, else that of the second reading's speed probe, which runs on them.
    """
    if after.cores is None or before.worker_busy_s is None or after.worker_busy_s is None:
        return {}
    own, seconds = set(after.cores.worker), after.at_s - before.at_s
    probe_cpu_s = (1 + REPEATS) * after.speed_probe_s * len(own)
    is_shared = not own.isdisjoint(after.cores.referee)
    own_cpu_s = worker_cpu_s + (referee_cpu_s if is_shared else probe_cpu_s)
    taken_s = after.worker_busy_s - before.worker_busy_s - own_cpu_s
    return {"taken_fraction": min(1.0, max(0.0, taken_s / max(1e-9, seconds * len(own))))}


def _gpu_change(before: MachineReading, after: MachineReading) -> dict[str, float]:
    """The GPU's fields of a change, if it was read."""
    change = dict[str, float]()
    if before.accelerator is not None and after.accelerator is not None:
        between = after.gpu_load.slowing if after.gpu_load else 0
        change["gpu_slowed"] = before.accelerator.slowing | between | after.accelerator.slowing
    if before.gpu_probe_s and after.gpu_probe_s:
        change["gpu_drift"] = after.gpu_probe_s / before.gpu_probe_s - 1.0
    return change


class Doubts(NamedTuple):
    """Why a trial's time is in doubt, as its result has it."""

    interference: tuple[str, ...] = ()
    contention: str = ""


def doubts(machine: MachineChange | None, limit: float) -> Doubts:
    """The reasons of both kinds; none without a second reading.

    Args:
        machine: the result of `between`.
        limit: the declared fraction above which each number flags a trial.
    """
    if machine is None:
        return Doubts()
    return Doubts(interference(machine, limit), contention(machine, limit))


def contention(machine: MachineChange, limit: float) -> str:
    """Contention on the worker's own cores, if it flags the trial; else empty.

    Args:
        machine: the result of `between`.
        limit: the declared fraction above which it does.
    """
    share = machine.taken_fraction or 0.0
    return f"other programs took {100.0 * share:.0f} % of its processors" if share > limit else ""


def interference(machine: MachineChange, limit: float) -> tuple[str, ...]:
    """Why a trial is flagged, from the result of `between`; empty if it is not.

    Args:
        machine: drift and fractions.
        limit: the declared fraction beyond which each of them flags it.
    """
    causes = []
    if abs(machine.drift) > limit:
        causes.append(f"the speed probe changed by {100.0 * machine.drift:+.0f} %")
    if machine.stolen_fraction > limit:
        causes.append(f"the hypervisor took {100.0 * machine.stolen_fraction:.0f} % of the time")
    if machine.gpu_drift is not None and abs(machine.gpu_drift) > limit:
        causes.append(f"the GPU's probe changed by {100.0 * machine.gpu_drift:+.0f} %")
    if machine.gpu_slowed:
        causes.append(f"heat or hardware slowed the GPU (reasons {machine.gpu_slowed:#x})")
    if machine.gpu_slowed is not None and machine.throttled:
        causes.append(f"the processors were throttled {machine.throttled} times")
    return tuple(causes)
