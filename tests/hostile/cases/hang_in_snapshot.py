"""Hangs when it is asked for its parameters."""

import time

from .honest import Honest


class Submission(Honest):
    def eval_parameters(self):
        if self.has_acted:
            time.sleep(2.0)
        return super().eval_parameters()
