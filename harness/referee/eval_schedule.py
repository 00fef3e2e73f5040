"""The schedule of snapshots: converts grid points to seconds or steps, and back."""

from __future__ import annotations

from bisect import bisect_right

from harness.plan.trial import Trial


class EvalSchedule:
    """The grid of one trial under its budget, in seconds or in steps."""

    def __init__(self, trial: Trial) -> None:
        self._budget, self._grid = trial.budget, trial.grid
        self.points = trial.grid.points
        self._steps = [self._step(point) for point in range(1, self.points + 1)]

    def deadline(self, point: int) -> tuple[float, int | None]:
        """When a grid point is due, in timed seconds and, under a budget in steps, as a step."""
        if self._budget.steps is not None:
            return self._budget.runtime_s, self._steps[point - 1]
        return self._grid.fraction(point) * self._budget.runtime_s, None

    def fraction(self, timed_s: float, step: int) -> float:
        """The fraction of the budget spent."""
        if self._budget.steps is not None:
            return step / self._budget.steps
        return timed_s / self._budget.runtime_s

    def last_point(self, point: int, timed_s: float, *, is_glance: bool) -> int:
        """The last grid point that had passed at a snapshot; a long step may pass several.

        The final grid point counts as passed only when the worker has stopped for it: a glance
        belongs to an earlier point, however late it is.
        """
        if self._budget.steps is not None:
            last_point_passed = bisect_right(self._steps, self._steps[point - 1])
        else:
            last_point_passed = max(point, self._grid.last_point(timed_s / self._budget.runtime_s))
        return min(last_point_passed, self.points - 1) if is_glance else last_point_passed

    def _step(self, point: int) -> int:
        """The step of a grid point under a budget in steps; 0 under one in seconds."""
        return max(1, round(self._grid.fraction(point) * (self._budget.steps or 0)))
