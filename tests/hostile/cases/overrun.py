"""Goes on beyond the budget before its first snapshot, which meets the target then."""

import time

from harness.frameworks.torch.problem import TorchProblem
from harness.submission.interface import Hyperparameters

from .honest import SETUPS, Honest

BEYOND_THE_BUDGET_S = 1.7


class Submission(Honest):
    has_acted = True

    def setup(self, problem: TorchProblem, hyperparameters: Hyperparameters) -> None:
        super().setup(problem, hyperparameters)
        if len(SETUPS) == 2:
            print("acting", flush=True)
            time.sleep(BEYOND_THE_BUDGET_S)
