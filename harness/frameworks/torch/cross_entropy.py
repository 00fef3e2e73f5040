"""Cross-entropy of low-precision logits, cast to float32 a bounded number of rows at a time.

Logits are a language model's largest array: 1.1 GB in bfloat16 for 32,768 tokens and a vocabulary
of 16,384. Casting all of them to float32, with the softmax's intermediate results, would need
several times their memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

PART_BYTES = 2**28
"""Maximum size of a part in float32, in bytes, unless a single row is larger."""


def mean_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean cross-entropy of targets (rows,) under logits (rows, classes), in float32.

    Under torch.compile it is one expression, because the compiler casts numbers as it reads them.
    It is differentiable once.
    """
    if torch.compiler.is_compiling():
        return functional.cross_entropy(logits.float(), targets)
    result: Tensor = _MeanCrossEntropy.apply(logits, targets)  # type: ignore[no-untyped-call]
    return result


def parts(rows: int, width: int) -> Iterator[slice]:
    """Consecutive parts of the rows, each of at most `PART_BYTES` in float32."""
    size = max(1, PART_BYTES // (4 * width))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


class _MeanCrossEntropy(torch.autograd.Function):
    """Saves only its arguments for the backward pass, which recomputes the softmax."""

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
