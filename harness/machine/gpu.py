"""Descriptions of a GPU: its properties, its state at a moment, and its load during a trial."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.recorded import Number, Recorded

BENIGN_THROTTLING = 0x1 | 0x2
"""Bits of NVML's throttle reasons for an idle GPU or for clocks set by an application."""
SLOWING = 0x8 | 0x20 | 0x40 | 0x80
"""Bits for clocks reduced by heat or hardware; the power cap is normal under load."""

POWER_CAP = 0x4
"""The bit of the power cap."""


@dataclass(frozen=True)
class Gpu:
    """One GPU, or a part of one that is divided (MIG)."""

    uuid: str
    name: str
    memory_bytes: int
    power_limit_w: int | None
    """Its power limit; None where the driver does not report it."""
    mode: str
    """The compute mode: `default`, `exclusive` or `prohibited`."""
    is_part: bool
    """Whether it is one part of a divided chip, on whose other parts others may compute."""


class GpuState(Recorded):
    """The state of a GPU, from NVIDIA's driver; None for fields that it does not support."""

    name: str
    temperature_c: int | None
    clock_mhz: int | None
    throttle_reasons: int | None
    """A bit mask of NVML's reasons."""
    use_percent: int | None
    power_w: int | None = None
    memory_mib: int | None = None
    """Memory reserved by all processes."""

    @property
    def is_throttled(self) -> bool:
        """Whether it is currently slowed down by heat, power or hardware."""
        return bool((self.throttle_reasons or 0) & ~BENIGN_THROTTLING)

    @property
    def slowing(self) -> int:
        """The reason bits for heat and hardware."""
        return (self.throttle_reasons or 0) & SLOWING


class GpuLoad(Recorded):
    """A GPU's samples during a trial; None for fields that the driver does not support."""

    samples: int
    """The number of samples."""
    slowing: int
    """The reason bits for heat and hardware, of all samples together."""
    capped_fraction: Number
    """The fraction of samples at the power cap."""
    clock_mhz: int | None
    """The median."""
    use_percent: int | None
    """The median."""
    power_w: int | None
    """The most."""
    temperature_c: int | None
    """The highest."""
    memory_mib: int | None = None
    """The most that referee and worker had reserved."""
