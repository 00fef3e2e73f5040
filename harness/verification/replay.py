"""Recompute a trial's result from its raw events, by the referee's own rules."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.errors import HarnessError
from harness.machine.readings import doubts
from harness.plan.trial import Result, Trial
from harness.record.attempts import Attempt
from harness.record.schema import (
    End,
    Evaluation,
    OtherSplits,
    Part,
    RefereeFailed,
    SnapshotTaken,
)
from harness.referee.checks import or_nan
from harness.referee.eval_schedule import EvalSchedule
from harness.referee.parts import (
    Certainty,
    Estimate,
    Measurement,
    certainty,
    may_take_parts,
    suffices,
)
from harness.referee.target_search import HeldSnapshot, TargetSearch


class MismatchError(HarnessError):
    """Recorded events contradict each other or the rules."""


class _RefereeFailedError(Exception):
    """The referee failed before an evaluation that was due."""


class Replay:
    """Replays one ended attempt.

    Args:
        trial: gives grid, target and budget.
        attempt: its events from `begin` to `end`.
        end: the event whose result is recomputed.
    """

    def __init__(self, trial: Trial, attempt: Attempt, end: End) -> None:
        self._trial = trial
        self._snapshots = attempt.all(SnapshotTaken)
        self._evaluations: Iterator[Evaluation] = iter(attempt.all(Evaluation))
        self._whole_points = set[int]()
        """Which snapshots were evaluated on the whole validation split so far."""
        self._other_splits = attempt.all(OtherSplits)
        self._has_referee_failed = bool(attempt.all(RefereeFailed))
        self._end = end
        self._recorded_result = end.result
        self._schedule = EvalSchedule(trial)
        limit_s = trial.budget.runtime_s
        self._search = TargetSearch(trial.grid, trial.target, self._value, limit_s)

    def result(self) -> Result:
        """The result that follows from the events.

        Raises:
            MismatchError: the events contradict each other or the rules.
        """
        counted_snapshots = (
            self._snapshots[:-1] if self._recorded_result.state == "diverged" else self._snapshots
        )
        previous: SnapshotTaken | None = None
        for snapshot in self._snapshots:
            point = previous.grid if previous else 0
            if self._is_over(point):
                raise MismatchError(f"grid point {snapshot.grid}: a snapshot after the end")
            self._check_place(snapshot, previous)
            previous = snapshot
            if snapshot in counted_snapshots:
                self._add(snapshot)
        if (extra := next(self._evaluations, None)) is not None:
            raise MismatchError(f"grid point {extra.grid}: an evaluation that was not due")
        point = previous.grid if previous else 0
        self._check_completed(point)
        self._check_state(point)
        return self._compute_result()

    def _add(self, snapshot: SnapshotTaken) -> None:
        if not snapshot.is_look:
            self._search.keep(_held_snapshot(snapshot))
            return
        try:
            is_over = snapshot.grid >= self._schedule.points
            self._search.look(_held_snapshot(snapshot), whole=is_over)
        except _RefereeFailedError:
            if snapshot is not self._snapshots[-1]:
                raise MismatchError(f"grid point {snapshot.grid}: its evaluation is due") from None

    def _check_place(self, snapshot: SnapshotTaken, previous: SnapshotTaken | None) -> None:
        """Check a snapshot's grid point, step, time and fraction against the previous snapshot."""
        place = f"grid point {snapshot.grid}"
        expected = (previous.grid if previous else 0) + 1
        if previous and (snapshot.step < previous.step or snapshot.timed_s < previous.timed_s):
            raise MismatchError(f"{place}: step or time precedes the previous snapshot's")
        is_look = self._search.is_look_due(expected)
        if snapshot.is_look != is_look:
            raise MismatchError(f"{place}: a look was {'' if is_look else 'not '}due there")
        due_point = self._schedule.last_point(expected, snapshot.timed_s, is_glance=not is_look)
        fraction = self._schedule.fraction(snapshot.timed_s, snapshot.step)
        if snapshot.grid != due_point:
            raise MismatchError(f"{place}: grid point {due_point} was due")
        if snapshot.fraction != fraction:
            raise MismatchError(
                f"{place}: the fraction is {snapshot.fraction}; time and step give {fraction}"
            )

    def _check_completed(self, point: int) -> None:
        """Check that the other splits were evaluated at the hit and the last snapshot only."""
        hit, last = self._search.hit, self._snapshots[-1] if self._snapshots else None
        due_points = [hit.snapshot.grid] if hit else []
        if last and point >= self._schedule.points and last.grid not in due_points:
            due_points.append(last.grid)
        points = [event.grid for event in self._other_splits]
        is_cut_short = self._has_referee_failed and points == due_points[: len(points)]
        if points and points != due_points and not is_cut_short:
            raise MismatchError(f"other splits of grid points {points}; {due_points} are due")

    def _value(self, snapshot: HeldSnapshot, *, until: Certainty) -> Measurement:
        """The recorded value of the evaluation that is due next."""
        evaluation = next(self._evaluations, None)
        if evaluation is None and self._has_referee_failed:
            raise _RefereeFailedError
        if evaluation is None or evaluation.grid != snapshot.grid:
            what = "none" if evaluation is None else f"that of grid point {evaluation.grid}"
            raise MismatchError(f"grid point {snapshot.grid}: its evaluation is due; found: {what}")
        progress = (snapshot.step, snapshot.timed_s, snapshot.examples)
        if (evaluation.step, evaluation.timed_s, evaluation.examples) != progress:
            raise MismatchError(f"grid point {snapshot.grid}: snapshot and evaluation differ")
        value = or_nan(evaluation.validation.get(self._trial.target.metric))
        if evaluation.part is None:
            self._whole_points.add(snapshot.grid)
            return Measurement(value)
        place = f"grid point {snapshot.grid}: {evaluation.part.examples} examples"
        return Measurement(value, self._certainty(evaluation.part, value, place, until))

    def _certainty(self, part: Part, value: float, place: str, until: Certainty) -> Certainty:
        """The certainty of an outcome based on a part of the validation split."""
        target = self._trial.target
        if not 0 < part.examples < part.of:
            raise MismatchError(f"{place} of {part.of} are not a part")
        if not may_take_parts(self._trial):
            raise MismatchError(f"{place}; the whole split is due")
        if part.beside is not None and part.beside not in self._whole_points:
            raise MismatchError(f"{place} beside grid point {part.beside}: no whole split before")
        error = or_nan(part.standard_errors.get(target.metric))
        estimate = Estimate(value, error, part.examples, part.of, part.beside is not None)
        level = certainty(estimate, target)
        if level is None or not suffices(level, until):
            raise MismatchError(
                f"{place} make the outcome {level or 'not even likely'}; it must be {until}"
            )
        return level

    def _is_over(self, point: int) -> bool:
        by_target = self._search.hit is not None and self._trial.stop_rule == "target"
        return by_target or point >= self._schedule.points

    def _check_state(self, point: int) -> None:
        state, hit = self._recorded_result.state, self._search.hit
        if self._has_referee_failed and state != "crashed":
            raise MismatchError(f"the state is '{state}', but the referee failed")
        if self._is_over(point) and state != "diverged" and not self._has_referee_failed:
            due_state = "reached" if hit else "budget"
            if state != due_state:
                raise MismatchError(f"the state is '{state}'; the events say '{due_state}'")
        elif state in ("reached", "budget"):
            raise MismatchError(f"the state is '{state}', but the events end before that")

    def _compute_result(self) -> Result:
        last = self._snapshots[-1] if self._snapshots else None
        if self._end.clock is None:
            raise MismatchError("the end lacks the clock")
        timed_s = self._end.clock["timed_s"]
        if last and timed_s < last.timed_s:
            raise MismatchError("the clock ends before the last snapshot")
        flags = doubts(self._end.machine_change, self._trial.limits.drift)
        return self._recorded_result.model_copy(
            update={
                **flags._asdict(),
                "timed_s": timed_s,
                "steps": last.step if last else 0,
                **self._search.outcome()._asdict(),
            }
        )


def _held_snapshot(snapshot: SnapshotTaken) -> HeldSnapshot:
    place = snapshot.grid, snapshot.step, snapshot.timed_s
    return HeldSnapshot(*place, snapshot.claims.examples, {})
