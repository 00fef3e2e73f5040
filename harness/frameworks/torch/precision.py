"""Torch's global precision switches, and their values at the start of every timed part.

float32 means float32 everywhere. Products in declared bfloat16 use torch's default accumulation,
with which the targets were calibrated.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch


class Flag(NamedTuple):
    """A switch: an attribute of an object, and its required value."""

    owner: object
    name: str
    value: object

    def set(self) -> None:
        """Set the attribute to its required value."""
        setattr(self.owner, self.name, self.value)


def flags() -> tuple[Flag, ...]:
    """All switches that are plain attributes."""
    backends: Any = torch.backends  # whose modules' attributes are not declared
    cuda, cudnn, mkldnn = backends.cuda.matmul, backends.cudnn, backends.mkldnn
    exact = (cuda, mkldnn.matmul, mkldnn.conv, mkldnn.rnn, cudnn, cudnn.conv, cudnn.rnn)
    return (
        *(Flag(owner, "fp32_precision", "ieee") for owner in (backends, *exact)),
        Flag(cuda, "allow_fp16_reduced_precision_reduction", True),
        Flag(cuda, "allow_bf16_reduced_precision_reduction", True),
        Flag(cuda, "allow_fp16_accumulation", False),
    )


def pin(device: str) -> None:
    """Set every switch; autocast is turned off for the CPU and for this device kind."""
    # The older interface first: it may set the same switches, and who reads it later, as libraries
    # do, is refused where the two say different things.
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    torch.backends.mkldnn.set_flags(_fp32_precision="ieee")
    for flag in flags():
        flag.set()
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(False)
    for kind in {"cpu", device}:
        torch.set_autocast_enabled(kind, False)
    torch.set_default_dtype(torch.float32)
    torch.set_flush_denormal(False)
