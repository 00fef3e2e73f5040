"""Hangs when it is set up."""

import time

from .honest import Honest


class Submission(Honest):
    def setup(self, problem, hyperparameters):
        time.sleep(1.5)
        super().setup(problem, hyperparameters)
