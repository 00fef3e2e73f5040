"""Hands over parameters of other shapes."""

from .honest import Honest
from .wires import snapshots_become


class Submission(Honest):
    def act(self) -> None:
        snapshots_become(lambda tensors: {n: t.T.copy().reshape(-1) for n, t in tensors.items()})
