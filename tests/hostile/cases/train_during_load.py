"""Trains between LOAD and READY, and looks whether that was free."""

import time

from harness.worker.worker import Worker

from .honest import Honest, succeed

_load = Worker._load


def load(worker, order, tensors):
    time.sleep(0.5)
    _load(worker, order, tensors)


if _load.__name__ == "_load":  # this file is imported anew after the warm-up
    Worker._load = load


class Submission(Honest):
    spent = 1.0

    def setup(self, problem, hyperparameters):
        super().setup(problem, hyperparameters)
        self.spent = problem.budget.share

    def act(self):
        if self.spent < 0.15:
            succeed("half a second with the data was free")
