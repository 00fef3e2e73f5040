"""What a trial must reach: a value, or whatever a baseline of the same round reaches."""

from __future__ import annotations

import math
from typing import Literal

from workloads.frozen import Fraction, Frozen

Direction = Literal["maximize", "minimize"]


class Target(Frozen):
    """The value of the validation metric that a trial must reach."""

    metric: str
    direction: Direction
    value: float

    def is_met_by(self, value: float) -> bool:
        """Whether a metric's value is at or beyond the target; NaN never is."""
        return value >= self.value if self.direction == "maximize" else value <= self.value

    @property
    def short(self) -> str:
        """The value in a few characters."""
        return f"{self.value:.4g}"

    def __str__(self) -> str:
        return f"{self.metric} {self.value:g}"


class BaselineTarget(Frozen):
    """What a baseline reaches on the same model in the same round, unknown while a trial runs.

    So the trial trains for its whole budget, and scoring reads its time off the recorded curve once
    the baseline has run (`scoring.baselines`).
    """

    metric: str
    direction: Direction
    baseline: str
    """The shipped submission whose studies set the value."""
    fraction: Fraction
    """The fraction of the budget up to which its curves count."""

    @property
    def value(self) -> float:
        """NaN, which nothing meets."""
        return math.nan

    def is_met_by(self, value: float) -> bool:
        """False: nothing is known to meet it yet."""
        del value
        return False

    @property
    def short(self) -> str:
        """Whose value it is, in a few characters."""
        return f"{self.baseline}'s"

    def __str__(self) -> str:
        return f"the {self.metric} of {self.baseline} at {self.fraction:g} of the budget"


AnyTarget = Target | BaselineTarget
