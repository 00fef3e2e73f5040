"""Hands over what is not finite."""

import torch
from torch import Tensor

from .honest import Honest


class Submission(Honest):
    def eval_parameters(self) -> dict[str, Tensor]:
        return {n: torch.full_like(p, torch.nan) for n, p in self.problem.parameters.items()}
