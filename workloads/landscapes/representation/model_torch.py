"""Linear representation learning in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workloads.landscapes.representation.model import RepresentationSizes, truth_of, validate
from workloads.modules_torch import BatchNorm2d
from workloads.spec import Sizes


class Representation(nn.Module):
    """Draws (batch, inputs + outputs) to prediction errors (batch, outputs)."""

    mixing: Tensor
    teacher: Tensor

    def __init__(self, sizes: RepresentationSizes) -> None:
        super().__init__()
        truth = truth_of(sizes)
        self.inputs, self.noise = sizes.inputs, sizes.noise
        self.hidden = nn.Linear(sizes.inputs, sizes.rank, bias=False)
        # it normalises the second dimension; here there are none after it
        self.norm: nn.Module = BatchNorm2d(sizes.rank) if sizes.has_batch_norm else nn.Identity()
        self.output = nn.Linear(sizes.rank, sizes.outputs, bias=False)
        teacher = truth.head @ truth.features
        for name, matrix in (("mixing", truth.mixing), ("teacher", teacher)):
            value = torch.tensor(matrix, dtype=torch.float32)
            self.register_buffer(name, value, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """f(x) - y for each example."""
        draws, noise = inputs[:, : self.inputs], inputs[:, self.inputs :]
        examples = draws @ self.mixing.T
        targets = examples @ self.teacher.T + self.noise * noise
        predictions: Tensor = self.output(self.norm(self.hidden(examples)))
        return predictions - targets


def build(sizes: Sizes) -> nn.Module:
    """The prediction errors as a module."""
    return Representation(validate(sizes))
