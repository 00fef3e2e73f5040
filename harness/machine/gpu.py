"""What is known of a GPU: what it is, and how it does at a moment."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.recorded import Number, Recorded

BENIGN_THROTTLING = 0x1 | 0x2
"""Bits of NVML's reasons that say that the GPU idles or keeps clocks that were asked for."""
SLOWING = 0x8 | 0x20 | 0x40 | 0x80
"""Bits that say that heat or hardware holds the clocks back; a cap on power is an ordinary load."""

POWER_CAP = 0x4
"""The bit of a cap on power."""


@dataclass(frozen=True)
class Gpu:
    """One GPU, or a part of one that is divided (MIG)."""

    uuid: str
    name: str
    memory_bytes: int
    power_limit_w: int | None
    """What it may draw; None where the driver does not say."""
    mode: str
    """`default`, `exclusive` or `prohibited`: which processes may compute on it."""
    is_part: bool
    """Whether others may compute on the rest of the same chip."""


class GpuState(Recorded):
    """What NVIDIA's driver says of a GPU; None where it does not support a field."""

    name: str
    temperature_c: int | None
    clock_mhz: int | None
    throttle_reasons: int | None
    """NVML's bits."""
    use_percent: int | None
    power_w: int | None = None
    memory_mib: int | None = None
    """What all that compute on it have reserved."""

    @property
    def is_throttled(self) -> bool:
        """Whether it is slowed by heat, power or hardware now."""
        return bool((self.throttle_reasons or 0) & ~BENIGN_THROTTLING)

    @property
    def slowing(self) -> int:
        """The bits that say that heat or hardware slows it."""
        return (self.throttle_reasons or 0) & SLOWING


class GpuLoad(Recorded):
    """What was seen of a GPU while a trial ran; None where the driver does not support a field."""

    samples: int
    """How often it was looked at."""
    slowing: int
    """Each bit that at any look said that heat or hardware slowed it."""
    capped_fraction: Number
    """The fraction of looks at which it drew as much power as it may."""
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
