"""Building blocks of several torch models: activations and norms without a bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SquaredReLU(nn.Module):
    """max(x, 0)^2 (So et al., 2021)."""

    def forward(self, values: Tensor) -> Tensor:
        """Apply it to each entry."""
        return functional.relu(values).square()


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "squared_relu": SquaredReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
"""By the names of `sizes.activation`; GELU is exact, with the error function."""


class Norm(nn.Module):
    """RMSNorm, or layer normalisation without a bias, over the last axis.

        y = g x / sqrt(mean(x^2) + eps)    for kind "layer" with x - mean(x) in place of x

    Args:
        width: the length of that axis.
        kind: rms or layer.
        epsilon: added to the mean square.
    """

    def __init__(self, width: int, kind: str, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width, dtype=torch.float32))
        self.subtracts_mean, self.epsilon = kind == "layer", epsilon

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise (..., width), in float32 for any precision of products."""
        shape, inputs = self.weight.shape, inputs.float()
        if self.subtracts_mean:
            return functional.layer_norm(inputs, shape, self.weight, None, self.epsilon)
        return functional.rms_norm(inputs, shape, self.weight, self.epsilon)
