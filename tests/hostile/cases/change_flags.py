"""Asks for cheaper products before the timed part."""

import torch

from .honest import Honest, succeed


class Submission(Honest):
    def setup(self, problem, hyperparameters):
        super().setup(problem, hyperparameters)
        if problem.budget.share == 0.0:
            torch.set_float32_matmul_precision("medium")

    def act(self):
        if torch.get_float32_matmul_precision() != "highest":
            succeed("computes in less than is declared")
