"""The Rosenbrock function in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from workloads.landscapes.rosenbrock.model import RosenbrockSizes, validate
from workloads.spec import Sizes


class Rosenbrock(nn.Module):
    """Empty inputs (batch, 0) to the residuals at the point, (batch, 2)."""

    def __init__(self, sizes: RosenbrockSizes) -> None:
        super().__init__()
        self.start, self.steepness = sizes.start, sizes.steepness
        self.displacement = nn.Parameter(torch.zeros(1, 2))

    def forward(self, inputs: Tensor) -> Tensor:
        """The same residuals for each example."""
        x = self.start[0] + self.displacement[0, 0]
        y = self.start[1] + self.displacement[0, 1]
        residuals = torch.stack((1.0 - x, math.sqrt(self.steepness) * (y - x.square())))
        return (math.sqrt(2.0) * residuals).expand(len(inputs), 2)


def build(sizes: Sizes) -> nn.Module:
    """The residuals as a module."""
    return Rosenbrock(validate(sizes))
