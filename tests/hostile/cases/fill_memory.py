"""Takes more memory than is allowed."""

import numpy as np

from .honest import Honest, succeed


class Submission(Honest):
    def act(self) -> None:
        self.hoard = np.empty(2**28)
        succeed("took two GiB")
