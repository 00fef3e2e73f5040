"""Keeps what it has trained in the warm-up, and looks whether the trial goes on from there."""

import torch

from harness.frameworks.torch.problem import TorchProblem
from harness.submission.interface import Hyperparameters

from .honest import SETUPS, Honest, succeed


class Submission(Honest):
    def setup(self, problem: TorchProblem, hyperparameters: Hyperparameters) -> None:
        super().setup(problem, hyperparameters)
        self.first = next(iter(problem.parameters.values())).detach().clone()

    def act(self) -> None:
        if torch.equal(vars(SETUPS[0])["first"], self.first):
            succeed("the warm-up's weights are the trial's")
