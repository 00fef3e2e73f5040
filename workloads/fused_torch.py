"""Modules with two equivalent implementations: a fused kernel and plain operations.

Fused kernels (attention, recurrent layers) are fast but not twice differentiable: torch raises an
error for forward-mode derivatives and for the backward pass of a backward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


class FusedModule(nn.Module):
    """A module that uses its fused kernel if `is_fused` is True, else plain operations."""

    is_fused: bool = True


@contextmanager
def twice_differentiable(model: nn.Module) -> Iterator[None]:
    """Make forward passes in a `with` block use only plain operations.

    Their results can be differentiated any number of times, in forward and reverse mode, at the
    cost of time and, for attention, memory quadratic in the sequence length.
    """
    modules = [m for m in model.modules() if isinstance(m, FusedModule) and m.is_fused]
    for module in modules:
        module.is_fused = False
    try:
        yield
    finally:
        for module in modules:
            module.is_fused = True
