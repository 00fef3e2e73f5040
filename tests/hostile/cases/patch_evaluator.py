"""Makes every evaluation perfect in its process."""

import numpy as np

from harness.frameworks.torch.evaluator import TorchEvaluator

from .honest import Honest


def attack() -> None:
    TorchEvaluator.batches = (  # type: ignore[method-assign]
        lambda self, parameters, split, start=0: iter(
            [{"loss": np.zeros(self._counts[split]), "accuracy": np.ones(self._counts[split])}]
        )
    )


class Submission(Honest):
    def act(self) -> None:
        attack()
