"""Modules that several torch models are built from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.parameters import STATISTICS_MOMENTUM


class BatchNorm2d(nn.Module):
    """Batch normalisation of (batch, channels, height, width) whose statistics can be left alone.

    In training the batch's mean and biased variance normalise, and the running ones move towards
    its mean and unbiased variance by `momentum`; in evaluation the running ones normalise
    (Ioffe and Szegedy, 2015, as in `torch.nn.BatchNorm2d`). With `is_tracking` False they stay, so
    that a pass is a pure function of parameters and batch and can be transformed by `torch.func`.
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
def untracked(norms: tuple[BatchNorm2d, ...]) -> Iterator[None]:
    """Leave the running statistics as they are in a `with` block."""
    for norm in norms:
        norm.is_tracking = False
    try:
        yield
    finally:
        for norm in norms:
            norm.is_tracking = True
