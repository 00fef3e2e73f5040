"""Makes every evaluation perfect in its process."""

from harness.frameworks.torch.evaluator import TorchEvaluator

from .honest import Honest


def attack() -> None:
    TorchEvaluator.metrics = (  # type: ignore[method-assign]
        lambda self, parameters, split: {"loss": 0.0, "accuracy": 1.0}
    )


class Submission(Honest):
    def act(self) -> None:
        attack()
