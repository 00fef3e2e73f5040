"""Hands over a buffer that the model does not have: what is fixed is not the worker's to give."""

import numpy as np

from .honest import Honest
from .wires import snapshots_become


class Submission(Honest):
    def act(self) -> None:
        extra = {"../../\x1b[2Jtable": np.zeros(3, np.float32)}
        snapshots_become(lambda tensors: {**tensors, **extra})
