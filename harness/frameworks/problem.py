"""The part of a problem that all frameworks share: a trial's facts and its pass counts."""

from __future__ import annotations

from dataclasses import dataclass

from harness.frameworks.examples import ModelSource
from harness.frameworks.model_source import layers_of, specs_of
from harness.submission.algoperf.workload import has_rate
from harness.submission.interface import BudgetView

STATISTICS_BATCHES = 4
"""The number of batches, from the start of the stream, over which batch statistics are averaged
before averaged weights are evaluated.
"""


class NoBudget:
    """A budget that is never spent, for the referee's own evaluations, which are not timed."""

    fraction = 0.0

    def progress(self, horizon: float) -> float:
        """Always 0."""
        return 0.0 * horizon


@dataclass(frozen=True)
class ProblemConfig:
    """The settings that a problem is built from."""

    source: ModelSource
    budget: BudgetView
    batch_size: int
    """The workload's training batch size."""
    train_examples: int
    """The number of training examples."""
    seed: int
    """The seed of the submission's own random choices."""
    step_hint: int = 1
    """See `harness.submission.interface.Problem`."""
    budget_s: float = 1.0
    """The budget in seconds."""


class CountedProblem:
    """The attributes of `harness.submission.interface.Problem`, and the pass counts."""

    def __init__(self, config: ProblemConfig) -> None:
        self.specs = specs_of(config.source)
        self.layers = layers_of(config.source)
        self.budget = config.budget
        self.batch_size = config.batch_size
        self.train_examples = config.train_examples
        self.seed = config.seed
        self.step_hint = config.step_hint
        self.budget_s = config.budget_s
        self.loss_name = config.source.loss
        self.has_dropout = has_rate(config.source.sizes)
        self.reset_counts()

    @property
    def counts(self) -> dict[str, int]:
        """Passes since training began: `forward`, `backward`, and `examples` sent forward."""
        return {
            "forward": self._forwards,
            "backward": self._backwards,
            "examples": self._examples,
        }

    def reset_counts(self) -> None:
        """Start counting passes from zero."""
        self._forwards = self._backwards = self._examples = 0

    def note_passes(self, forward: int, backward: int, examples: int) -> None:
        """Add passes that are not counted automatically; `examples` is the total sent forward."""
        self._forwards += forward
        self._backwards += backward
        self._examples += examples
