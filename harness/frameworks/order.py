"""The order of the training examples: a pure function of (seed, example position)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.core.seeds import permutation

Indices = npt.NDArray[np.int64]


class Order:
    """Endless epochs, each a permutation of all examples, identical on every machine.

    Position p is example p mod n of epoch p div n; see `harness.core.seeds.permutation`. The last
    permutation is cached, so that a sequential reader draws each one once.
    """

    def __init__(self, seed: str, examples: int) -> None:
        self.seed = seed
        self.examples = examples
        self._epoch = -1
        self._permutation: Indices = np.empty(0, dtype=np.int64)

    def epoch(self, number: int) -> Indices:
        """The permutation of one epoch, counted from 0; shape (examples,)."""
        if number != self._epoch:
            self._permutation = permutation(self.seed, number, self.examples)
            self._epoch = number
        return self._permutation

    def slice(self, position: int, count: int) -> Indices:
        """The example indices at positions `position` to `position + count`; shape (count,)."""
        parts = []
        while count > 0:
            epoch, offset = divmod(position, self.examples)
            part = self.epoch(epoch)[offset : offset + count]
            parts.append(part)
            position += len(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
