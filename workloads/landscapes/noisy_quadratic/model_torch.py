"""The noisy quadratic in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workloads.landscapes.noisy_quadratic.model import QuadraticSizes, validate
from workloads.spec import Sizes


class NoisyQuadratic(nn.Module):
    """Noise (batch, dimensions) to residuals of the same shape."""

    weights: Tensor
    noise_scales: Tensor

    def __init__(self, sizes: QuadraticSizes) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.zeros(sizes.dimensions))
        self.register_buffer("weights", torch.tensor(sizes.weights), persistent=False)
        self.register_buffer("noise_scales", torch.tensor(sizes.noise_scales), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Each example's residuals, the distances from its own minimum."""
        return self.weights * (self.point - self.noise_scales * inputs)


def build(sizes: Sizes) -> nn.Module:
    """The residuals as a module."""
    return NoisyQuadratic(validate(sizes))
