"""Keeps what it has trained in the warm-up, and looks whether the trial goes on from there."""

import torch

from .honest import SETUPS, Honest, succeed


class Submission(Honest):
    def setup(self, problem, hyperparameters):
        super().setup(problem, hyperparameters)
        self.first = next(iter(problem.parameters.values())).detach().clone()

    def act(self):
        if torch.equal(SETUPS[0].first, self.first):
            succeed("the warm-up's weights are the trial's")
