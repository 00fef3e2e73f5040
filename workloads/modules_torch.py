"""Modules shared by several torch models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.parameters import STATISTICS_MOMENTUM


class BatchNorm2d(nn.Module):
    """Batch normalisation of (batch, channels, height, width) with optional statistics tracking.

    In training mode the batch's mean and biased variance are used, and the running statistics move
    towards its mean and unbiased variance by `momentum`; in evaluation mode the running statistics
    are used (Ioffe and Szegedy, 2015, as in `torch.nn.BatchNorm2d`). With `is_tracking` False they
    are not updated, so a pass is a pure function of parameters and batch, as `torch.func` requires.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.eps = eps
        self.momentum = STATISTICS_MOMENTUM
        self.is_tracking = True

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise, scale and shift each channel."""
        is_pure = self.training and not self.is_tracking
        return functional.batch_norm(
            inputs,
            None if is_pure else self.running_mean,
            None if is_pure else self.running_var,
            self.weight,
            self.bias,
            training=self.training,
            momentum=self.momentum,
            eps=self.eps,
        )


@contextmanager
def without_tracking(norms: tuple[BatchNorm2d, ...]) -> Iterator[None]:
    """Disable updates of the running statistics in a `with` block."""
    for norm in norms:
        norm.is_tracking = False
    try:
        yield
    finally:
        for norm in norms:
            norm.is_tracking = True
