"""Tensors as matrices, and batched calls over matrices of equal shape.

On a CPU a batch is limited to what fits in cache: larger stacks are slower than single matrices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import torch

from submissions.common.vectors import CACHED


def matrices(tensor: torch.Tensor, splits: Sequence[int] = ()) -> list[torch.Tensor]:
    """Reshape a tensor into matrices, flattening kernels to (out, in * height * width).

    Args:
        tensor: (out, ...), with two or more dimensions.
        splits: sizes of matrices fused along the first dimension; empty for a single matrix.
    """
    flat = tensor.flatten(1)
    return list(torch.split(flat, list(splits))) if splits else [flat]


def tensor_of(parts: Sequence[torch.Tensor], shape: torch.Size) -> torch.Tensor:
    """Reassemble a tensor; the inverse of `matrices`."""
    return (parts[0] if len(parts) == 1 else torch.cat(list(parts))).reshape(shape)


def apply_by_shape(
    function: Callable[[torch.Tensor], torch.Tensor], inputs: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """Apply a batched function to matrices, one call per shape (on a CPU in small batches).

    Args:
        function: maps (batch, rows, columns) to (batch, ...).
        inputs: matrices of any shapes.

    Returns:
        One result per matrix, in the order of `inputs`.
    """
    places: defaultdict[torch.Size, list[int]] = defaultdict(list)
    for place, matrix in enumerate(inputs):
        places[matrix.shape].append(place)
    results: dict[int, torch.Tensor] = {}
    for shape, members in places.items():
        is_on_cpu = inputs[members[0]].device.type == "cpu"
        count = max(1, CACHED // shape.numel()) if is_on_cpu else len(members)
        for start in range(0, len(members), count):
            some = members[start : start + count]
            stack = torch.stack([inputs[place] for place in some])
            results.update(zip(some, function(stack).unbind(), strict=True))
    return [results[place] for place in range(len(inputs))]
