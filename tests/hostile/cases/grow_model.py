"""Hands over a model with a wider layer."""

import numpy as np

from harness.protocol.wire import Tensors

from .honest import Honest
from .wires import snapshots_become


def widen(tensors: Tensors) -> Tensors:
    name = next(iter(tensors))
    return {**tensors, name: np.concatenate([tensors[name], tensors[name]])}


class Submission(Honest):
    def act(self) -> None:
        snapshots_become(widen)
