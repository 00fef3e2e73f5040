"""Conversion between a list of tensors and one flat vector, for curvature methods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def flatten(tensors: Iterable[Tensor]) -> Tensor:
    """Concatenate the entries of all tensors into a detached copy, (n,)."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def unflatten(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Split a vector (n,) into views shaped like `like`; the inverse of `flatten`."""
    parts = vector.split([tensor.numel() for tensor in like])
    return [part.view_as(tensor) for part, tensor in zip(parts, like, strict=True)]


@torch.no_grad()
def assign(parameters: Sequence[Tensor], vector: Tensor) -> None:
    """Copy a vector (n,) into live parameters."""
    for live, part in zip(parameters, unflatten(vector, parameters), strict=True):
        live.copy_(part)


@torch.no_grad()
def add(parameters: Sequence[Tensor], vector: Tensor, scale: float = 1.0) -> None:
    """Add a multiple of a vector (n,) to live parameters."""
    for live, part in zip(parameters, unflatten(vector, parameters), strict=True):
        live.add_(part, alpha=scale)
