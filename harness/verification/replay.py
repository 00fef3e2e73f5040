"""A trial's result computed again from its raw events, by the rules that the referee goes by."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.core.errors import HarnessError
from harness.machine.readings import interference
from harness.plan.trial import Result, Trial
from harness.record.attempts import Attempt
from harness.record.schema import End, Evaluation, RefereeFailed, SnapshotTaken
from harness.referee.eval_schedule import EvalSchedule
from harness.referee.target_search import HeldSnapshot, TargetSearch


class MismatchError(HarnessError):
    """Recorded events do not fit each other, or the rules."""


class _RefereeFailedError(Exception):
    """The referee fell before it had evaluated what was due."""


class Replay:
    """One ended attempt, gone through once more.

    Args:
        trial: what was run.
        attempt: its events from `begin` to `end`.
        end: how it ended.
    """

    def __init__(self, trial: Trial, attempt: Attempt, end: End) -> None:
        self._trial = trial
        self._snapshots = attempt.all(SnapshotTaken)
        self._evaluations: Iterator[Evaluation] = iter(attempt.all(Evaluation))
        self._referee_failed = bool(attempt.all(RefereeFailed))
        self._end = end
        self._recorded_result = end.result
        self._schedule = EvalSchedule(trial)
        limit_s = trial.budget.runtime_s
        self._search = TargetSearch(trial.grid, trial.target, self._value, limit_s)

    def result(self) -> Result:
        """What the events say about the trial's end.

        Raises:
            MismatchError: they do not fit each other.
        """
        counted_snapshots = (
            self._snapshots[:-1] if self._recorded_result.state == "diverged" else self._snapshots
        )
        point = 0
        for snapshot in self._snapshots:
            self._check_place(snapshot, point)
            if self._is_over(point):
                raise MismatchError(f"grid point {snapshot.grid}: a snapshot after the end")
            point = snapshot.grid
            if snapshot in counted_snapshots:
                self._add(snapshot)
        if (extra := next(self._evaluations, None)) is not None:
            raise MismatchError(f"grid point {extra.grid}: an evaluation that was not due")
        self._check_state(point)
        return self._compute_result()

    def _add(self, snapshot: SnapshotTaken) -> None:
        is_last = snapshot.grid >= self._schedule.points
        try:
            self._search.add(_held_snapshot(snapshot), is_last)
        except _RefereeFailedError:
            if snapshot is not self._snapshots[-1]:
                raise MismatchError(f"grid point {snapshot.grid}: its evaluation is due") from None

    def _check_place(self, snapshot: SnapshotTaken, point: int) -> None:
        """Grid point, step, time and fraction of a snapshot against the one before it."""
        place = f"grid point {snapshot.grid}"
        previous = next((s for s in self._snapshots if s.grid == point), None)
        if previous and (snapshot.step < previous.step or snapshot.timed_s < previous.timed_s):
            raise MismatchError(f"{place}: step or time lies before the snapshot before it")
        due_point = self._schedule.last_point(point + 1, snapshot.timed_s)
        fraction = self._schedule.fraction(snapshot.timed_s, snapshot.step)
        if snapshot.grid != due_point:
            raise MismatchError(f"{place}: it had to be grid point {due_point}")
        if snapshot.fraction != fraction:
            raise MismatchError(
                f"{place}: a fraction of {snapshot.fraction}; time and step say {fraction}"
            )

    def _value(self, snapshot: HeldSnapshot) -> float:
        """The recorded value of the evaluation that is due now."""
        evaluation = next(self._evaluations, None)
        if evaluation is None and self._referee_failed:
            raise _RefereeFailedError
        if evaluation is None or evaluation.grid != snapshot.grid:
            what = "none" if evaluation is None else f"that of grid point {evaluation.grid}"
            raise MismatchError(
                f"grid point {snapshot.grid}: its evaluation is due, found is {what}"
            )
        place = (snapshot.step, snapshot.timed_s, snapshot.examples)
        if (evaluation.step, evaluation.timed_s, evaluation.examples) != place:
            raise MismatchError(f"grid point {snapshot.grid}: snapshot and evaluation differ")
        value = evaluation.validation.get(self._trial.target.metric)
        return math.nan if value is None else value

    def _is_over(self, point: int) -> bool:
        by_target = self._search.hit is not None and self._trial.stop_rule == "target"
        return by_target or point >= self._schedule.points

    def _check_state(self, point: int) -> None:
        state, hit = self._recorded_result.state, self._search.hit
        if self._referee_failed and state != "crashed":
            raise MismatchError(f"the state is '{state}', but the referee fell")
        if self._is_over(point) and state != "diverged" and not self._referee_failed:
            due_state = "reached" if hit else "budget"
            if state != due_state:
                raise MismatchError(f"the state is '{state}'; the events say '{due_state}'")
        elif state in ("reached", "budget"):
            raise MismatchError(f"the state is '{state}', but the events end before that")

    def _compute_result(self) -> Result:
        hit, last = self._search.hit, self._snapshots[-1] if self._snapshots else None
        if self._end.clock is None:
            raise MismatchError("the end lacks the clock")
        timed_s = self._end.clock["timed_s"]
        if last and timed_s < last.timed_s:
            raise MismatchError("the clock ends before the last snapshot")
        machine = self._end.machine_change
        causes = interference(machine, self._trial.limits.drift) if machine else ()
        return self._recorded_result.model_copy(
            update={
                "interference": causes,
                "time_to_target_s": hit.snapshot.timed_s if hit else None,
                "last_miss_s": hit.last_miss_s if hit else None,
                "steps_to_target": hit.snapshot.step if hit else None,
                "examples_to_target": hit.snapshot.examples if hit else None,
                "timed_s": timed_s,
                "steps": last.step if last else 0,
                "best_metric": self._search.best,
            }
        )


def _held_snapshot(snapshot: SnapshotTaken) -> HeldSnapshot:
    place = snapshot.grid, snapshot.step, snapshot.timed_s
    return HeldSnapshot(*place, snapshot.claims.examples, {})
