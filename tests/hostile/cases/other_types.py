"""Hands over parameters in double precision."""

from .honest import Honest
from .wires import snapshots_become


class Submission(Honest):
    def act(self) -> None:
        snapshots_become(lambda tensors: {n: t.astype("float64") for n, t in tensors.items()})
