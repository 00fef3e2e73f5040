"""Hands over a model with a wider layer."""

from typing import Any

import numpy as np

from .honest import Honest
from .wires import snapshots_become


def widen(tensors: dict[str, Any]) -> dict[str, Any]:
    name = next(iter(tensors))
    tensors[name] = np.concatenate([tensors[name], tensors[name]])
    return tensors


class Submission(Honest):
    def act(self) -> None:
        snapshots_become(widen)
