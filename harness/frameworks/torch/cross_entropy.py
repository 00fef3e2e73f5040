"""Cross-entropy of logits below float32, raised to float32 a bounded number of rows at a time.

The logits of a language model are its largest array: 1.1 GB in bfloat16 for 32,768 tokens of 16,384
kinds. Raised to float32 whole, they and what softmax makes of them would take several times that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

PART_BYTES = 2**28
"""What the rows of one part take in float32, at most, unless a single row takes more."""


def mean_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean cross-entropy of targets (rows,) under logits (rows, classes), in float32.

    Compiled, it is one expression, for then the compiler raises numbers as it reads them. Its
    gradient can be taken once.
    """
    if torch.compiler.is_compiling():
        return functional.cross_entropy(logits.float(), targets)
    result: Tensor = _MeanCrossEntropy.apply(logits, targets)  # type: ignore[no-untyped-call]
    return result


def parts(rows: int, width: int) -> Iterator[slice]:
    """Runs of rows that take `PART_BYTES` in float32, at most."""
    size = max(1, PART_BYTES // (4 * width))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


class _MeanCrossEntropy(torch.autograd.Function):
    """Keeps nothing but its arguments for the backward pass, which takes the softmax again."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        ctx.save_for_backward(logits, targets)
        total = logits.new_zeros((), dtype=torch.float32)
        for part in parts(*logits.shape):
            total += functional.cross_entropy(logits[part].float(), targets[part], reduction="sum")
        return total / len(logits)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        logits, targets = ctx.saved_tensors
        scale, result = gradient / len(logits), torch.empty_like(logits)
        for part in parts(*logits.shape):
            slopes = logits[part].float().softmax(-1)
            slopes.scatter_add_(1, targets[part, None], -torch.ones_like(slopes[:, :1]))
            result[part] = slopes.mul_(scale)
        return result, None
