"""Computes its forward passes in half the precision that is declared."""

import torch
from torch import Tensor

from harness.submission.interface import Stream

from .honest import Honest, succeed


class Submission(Honest):
    def step(self, stream: Stream[Tensor]) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return super().step(stream)

    def act(self) -> None:
        wide = torch.ones(8, 8)
        if (wide @ wide).dtype == torch.bfloat16:
            succeed("computes in less than is declared")
