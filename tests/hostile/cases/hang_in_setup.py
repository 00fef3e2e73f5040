"""Hangs when it is set up."""

import time

from harness.frameworks.torch.problem import TorchProblem
from harness.submission.interface import Hyperparameters

from .honest import Honest


class Submission(Honest):
    def setup(self, problem: TorchProblem, hyperparameters: Hyperparameters) -> None:
        time.sleep(1.5)
        super().setup(problem, hyperparameters)
