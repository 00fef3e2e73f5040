"""When a trial is observed: from grid points to seconds or steps, and back."""

from __future__ import annotations

import math

from harness.plan.trial import Trial
from harness.referee.target_search import grid_points


class EvalSchedule:
    """The grid of one trial under its budget, in seconds or in steps."""

    def __init__(self, trial: Trial) -> None:
        self._budget, self._grid = trial.budget, trial.grid
        self.points = grid_points(trial.grid)

    def deadline(self, point: int) -> tuple[float, int | None]:
        """The timed seconds, and the step under a budget in steps, at which a point is due."""
        fraction = min(1.0, point * self._grid.fraction) if point < self.points else 1.0
        if self._budget.steps is None:
            return fraction * self._budget.runtime_s, None
        return self._budget.runtime_s, max(1, round(fraction * self._budget.steps))

    def fraction(self, timed_s: float, step: int) -> float:
        """The fraction of the budget spent."""
        if self._budget.steps is not None:
            return step / self._budget.steps
        return timed_s / self._budget.runtime_s

    def last_point(self, point: int, timed_s: float) -> int:
        """The last grid point passed at the snapshot for a point; a long step may pass several."""
        if self._budget.steps is not None:
            return point
        fraction = timed_s / self._budget.runtime_s / self._grid.fraction
        return max(point, min(math.floor(fraction), self.points))
