"""Modules that have two ways to the same numbers: a fused kernel and plain operations.

Fused kernels (attention, recurrent layers) are fast, but none of them can be differentiated twice:
torch raises an error in forward-mode derivatives and in the backward pass of a backward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


class FusedModule(nn.Module):
    """A module that uses its fused kernel while `is_fused` is True, plain operations otherwise."""

    is_fused: bool = True


@contextmanager
def twice_differentiable(model: nn.Module) -> Iterator[None]:
    """Let the forward passes in a `with` block use plain operations only.

    What they return can be differentiated any number of times, in forward and in reverse mode; it
    costs time and, for attention, memory that grows with the square of the sequence.
    """
    fused = [m for m in model.modules() if isinstance(m, FusedModule) and m.is_fused]
    for module in fused:
        module.is_fused = False
    try:
        yield
    finally:
        for module in fused:
            module.is_fused = True
