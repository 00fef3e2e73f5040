"""Reads the training data during the untimed warm-up, their path being known to it."""

import numpy as np

from harness.frameworks.torch.problem import TorchProblem
from harness.submission.interface import Hyperparameters

from .facts import TRAIN
from .honest import Honest, attempt


class Submission(Honest):
    def setup(self, problem: TorchProblem, hyperparameters: Hyperparameters) -> None:
        super().setup(problem, hyperparameters)
        attempt(lambda: np.load(f"{TRAIN}/targets.npy"), "read training data off the clock")
