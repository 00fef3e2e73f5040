"""Keeps what it has trained in the warm-up, and puts it back."""

import torch

from .honest import Honest, succeed

KEPT = []


class Submission(Honest):
    def setup(self, problem, hyperparameters):
        super().setup(problem, hyperparameters)
        KEPT.append([p.detach().clone() for p in problem.parameters.values()])

    def act(self):
        live = next(iter(self.problem.parameters.values()))
        if torch.equal(KEPT[0][0], live):
            succeed("the warm-up's weights are the trial's")
