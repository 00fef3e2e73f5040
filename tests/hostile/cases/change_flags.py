"""Asks for cheaper products before the timed part."""

import torch

from .honest import SETUPS, Honest, succeed


class Submission(Honest):
    def setup(self, problem, hyperparameters):
        super().setup(problem, hyperparameters)
        if len(SETUPS) == 1:
            torch.set_float32_matmul_precision("medium")
            torch.backends.mkldnn.conv.fp32_precision = "bf16"
            torch.set_autocast_enabled("cpu", True)

    def act(self):
        exact = torch.get_float32_matmul_precision(), torch.backends.mkldnn.conv.fp32_precision
        if exact != ("highest", "ieee") or torch.is_autocast_enabled("cpu"):
            succeed("computes in less than is declared")
