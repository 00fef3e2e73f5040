"""Hands over what is not finite."""

import torch

from .honest import Honest


class Submission(Honest):
    def eval_parameters(self):
        return {n: torch.full_like(p, torch.nan) for n, p in self.problem.parameters.items()}
