"""Asks for cheaper products before the timed part."""

from typing import Any

import torch

from harness.frameworks.torch.problem import TorchProblem
from harness.submission.interface import Hyperparameters

from .honest import SETUPS, Honest, succeed

MKLDNN: Any = torch.backends.mkldnn  # whose parts are not declared


class Submission(Honest):
    def setup(self, problem: TorchProblem, hyperparameters: Hyperparameters) -> None:
        super().setup(problem, hyperparameters)
        if len(SETUPS) == 1:
            torch.set_float32_matmul_precision("medium")
            MKLDNN.conv.fp32_precision = "bf16"
            torch.set_autocast_enabled("cpu", True)

    def act(self) -> None:
        exact = torch.get_float32_matmul_precision(), MKLDNN.conv.fp32_precision
        if exact != ("highest", "ieee") or torch.is_autocast_enabled("cpu"):
            succeed("computes in less than is declared")
