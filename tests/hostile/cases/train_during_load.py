"""Trains between LOAD and READY, and looks whether that was free."""

import time

from torch import Tensor

from harness.frameworks.torch.problem import TorchProblem
from harness.protocol.messages import Load
from harness.protocol.wire import Tensors
from harness.submission.interface import Hyperparameters
from harness.worker.worker import Worker

from .honest import Honest, succeed

_load = Worker._load


def load(worker: Worker[Tensor], order: Load, tensors: Tensors) -> None:
    time.sleep(0.5)
    _load(worker, order, tensors)


if _load.__name__ == "_load":  # this file is imported anew after the warm-up
    Worker._load = load  # type: ignore[method-assign, assignment]


class Submission(Honest):
    spent = 1.0

    def setup(self, problem: TorchProblem, hyperparameters: Hyperparameters) -> None:
        super().setup(problem, hyperparameters)
        self.spent = problem.budget.fraction

    def act(self) -> None:
        if self.spent < 0.15:
            succeed("half a second with the data was free")
