"""Hangs when it is asked for its state."""

import time

from torch import Tensor

from .honest import Honest


class Submission(Honest):
    def state_dict(self) -> dict[str, Tensor]:
        if self.has_acted:
            time.sleep(2.0)
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        pass
