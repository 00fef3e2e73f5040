"""Hands over a model with a wider layer."""

import numpy as np

from .honest import Honest
from .wires import snapshots_become


def widen(tensors):
    name = next(iter(tensors))
    tensors[name] = np.concatenate([tensors[name], tensors[name]])
    return tensors


class Submission(Honest):
    def act(self):
        snapshots_become(widen)
