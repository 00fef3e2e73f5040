"""Hangs when it is asked for its parameters."""

import time

from torch import Tensor

from .honest import Honest


class Submission(Honest):
    def eval_parameters(self) -> dict[str, Tensor]:
        if self.has_acted:
            time.sleep(2.0)
        return super().eval_parameters()
