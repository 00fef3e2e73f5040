"""The single-index model's student in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workloads.landscapes.single_index.model import SingleIndexSizes, truth_of, validate
from workloads.spec import Sizes


class SingleIndex(nn.Module):
    """Draws (batch, inputs + 1) to prediction errors (batch, 1)."""

    mixing: Tensor
    index: Tensor

    def __init__(self, sizes: SingleIndexSizes) -> None:
        super().__init__()
        truth = truth_of(sizes)
        self.inputs, self.noise = sizes.inputs, sizes.noise
        self.hidden = nn.Linear(sizes.inputs, sizes.hidden, bias=False)
        self.output = nn.Linear(sizes.hidden, sizes.outputs, bias=False)
        for name, values in (("mixing", truth.mixing), ("index", truth.index[None])):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """f(x) - y for each example."""
        draws, noise = inputs[:, : self.inputs], inputs[:, self.inputs :]
        targets = (draws @ self.index.T).relu() + self.noise * noise
        predictions: Tensor = self.output(self.hidden(draws @ self.mixing.T).relu())
        return predictions - targets


def build(sizes: Sizes) -> nn.Module:
    """The prediction errors as a module."""
    return SingleIndex(validate(sizes))
