"""Batches on which rounding decides nowhere on which side of a ReLU a value falls.

Where it does, two frameworks train two functions, and their steps part company.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy

import numpy as np
import torch

from tests.workloads.parity import Batch, Twin, torch_step

MARGIN = 10
"""A value nearer to zero than so many of its rounding errors may fall on either side of a ReLU."""


def smooth_batches(
    twin: Twin, candidates: Iterable[Batch], count: int, learning_rate: float
) -> list[Batch]:
    """Batches for steps of SGD on which both frameworks see the same smooth function."""
    module = twin.torch_model(twin.start)
    optimizer = torch.optim.SGD(module.parameters(), lr=learning_rate)
    batches: list[Batch] = []
    for batch in candidates:
        if len(batches) == count:
            return batches
        if is_smooth(module, batch[0]):
            batches.append(batch)
            torch_step(module, batch)
            optimizer.step()
    assert len(batches) == count
    return batches


def is_smooth(module: torch.nn.Module, inputs: np.ndarray) -> bool:
    """Whether rounding decides nowhere on which side of a ReLU a value falls."""
    rounded = relu_inputs(module, inputs)
    exact = relu_inputs(deepcopy(module).double(), inputs)
    pairs = zip(rounded, exact, strict=True)
    return not any((one.abs() < MARGIN * (one - two).abs()).any() for one, two in pairs)


def relu_inputs(module: torch.nn.Module, inputs: np.ndarray) -> list[torch.Tensor]:
    """What enters each ReLU, in double precision but with the module's own rounding."""
    values: list[torch.Tensor] = []
    handles = [
        part.register_forward_pre_hook(lambda _, entered: values.append(entered[0].double()))
        for part in module.modules()
        if isinstance(part, torch.nn.ReLU)
    ]
    with torch.no_grad():
        module(torch.from_numpy(inputs))
    for handle in handles:
        handle.remove()
    return values
