"""Asks for cheaper products before the timed part."""

import torch

from .honest import SETUPS, Honest, succeed


class Submission(Honest):
    def setup(self, problem, hyperparameters):
        super().setup(problem, hyperparameters)
        if len(SETUPS) == 1:
            torch.set_float32_matmul_precision("medium")

    def act(self):
        if torch.get_float32_matmul_precision() != "highest":
            succeed("computes in less than is declared")
