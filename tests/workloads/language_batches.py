"""Small batches of the generated language, for tests of its two models."""

from __future__ import annotations

from tests.workloads.parity import SEED, Batch
from workloads.data.language import Language, LanguageSettings


class LanguageBatches:
    """Batches of one sample, each from its own place.

    Args:
        count: sequences in the sample.
        time: tokens in each.
        size: sequences in a batch.
    """

    def __init__(self, count: int, time: int, size: int) -> None:
        settings = LanguageSettings(train=count, validation=1, time=time)
        tokens = Language(SEED, settings).sample("train", count).tokens
        self.inputs, self.targets = tokens[:, :-1], tokens[:, 1:]
        self._size = size

    @property
    def all(self) -> Batch:
        """Every sequence."""
        return self.inputs, self.targets

    def __call__(self, number: int = 0) -> Batch:
        """Inputs and targets of one batch."""
        part = slice(self._size * number, self._size * (number + 1))
        return self.inputs[part], self.targets[part]
