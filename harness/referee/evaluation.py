"""Evaluates a trial's snapshots on each split, off the clock, and records the metrics."""

from __future__ import annotations

from collections.abc import Mapping

from harness.frameworks.examples import Parameters
from harness.frameworks.metrics import ExampleMetrics, concatenate, means
from harness.plan.trial import Trial
from harness.record.recorder import Recorder
from harness.record.schema import Diagnostics, Evaluation, Metrics, OtherSplits, Part
from harness.referee.checks import finite_or_none
from harness.referee.clock import Clock
from harness.referee.context import TrialContext
from harness.referee.parts import (
    Certainty,
    Measurement,
    certainty,
    estimate,
    evaluated_until,
    may_take_parts,
)
from harness.referee.target_search import HeldSnapshot


class SnapshotEvaluator:
    """Evaluates snapshots while the worker is frozen.

    Args:
        trial: defines the target's metric, and whether probes are computed.
        context: has the evaluator and the splits.
        clock: accounts the time of evaluation.
        recorder: records the metrics.
    """

    def __init__(
        self, trial: Trial, context: TrialContext, clock: Clock, recorder: Recorder
    ) -> None:
        self._trial, self._context = trial, context
        self._clock, self._record = clock, recorder
        self._parts = dict[int, list[ExampleMetrics]]()
        """The evaluated parts of the validation split, by grid point, for incomplete evaluations.
        """
        self._diagnosed_points = set[int]()

    def value(self, snapshot: HeldSnapshot, *, until: Certainty) -> Measurement:
        """The target's metric on the validation split, which is all that a search uses.

        Args:
            snapshot: the snapshot to evaluate.
            until: evaluation stops when it is this certain whether the target is met.
        """
        of, target = self._context.validation_examples, self._trial.target
        with self._clock.account("evaluation"):
            parameters = self._parameters(snapshot)
            per_example = self._validation(snapshot.grid, parameters, until)
            metrics = means(per_example)
        event = Evaluation(
            grid=snapshot.grid,
            step=snapshot.step,
            timed_s=snapshot.timed_s,
            examples=snapshot.examples,
            validation=_finite(metrics),
        )
        part = _part(per_example, of)
        with self._clock.account("record"):
            self._record.emit(event if part is None else event.model_copy(update={"part": part}))
        self._diagnose(snapshot, parameters)
        one = estimate(per_example[target.metric], of)
        measurement = Measurement(one.mean, certainty(one, target))
        if measurement.is_clear and not target.is_met_by(measurement.value):
            # what lies before a clear miss is not asked for again
            self._parts = {at: part for at, part in self._parts.items() if at >= snapshot.grid}
        return measurement

    def _validation(self, grid: int, parameters: Parameters, until: Certainty) -> ExampleMetrics:
        """The metrics on as much of the validation split as the required certainty needs."""
        is_whole = not self._context.is_order_drawn or not may_take_parts(self._trial)
        level: Certainty = "whole" if is_whole else until
        of, target = self._context.validation_examples, self._trial.target
        before = self._parts.pop(grid, [])
        start = sum(len(batch[target.metric]) for batch in before)
        batches = self._context.evaluator.batches(parameters, "validation", start)
        so_far = evaluated_until(batches, before, of, target, level)
        per_example = concatenate(so_far)
        if len(per_example[target.metric]) < of:
            self._parts[grid] = so_far
        return per_example

    def _diagnose(self, snapshot: HeldSnapshot, parameters: Parameters) -> None:
        """Compute the diagnostics of an evaluated snapshot, once."""
        if self._context.diagnostics is None or not self._trial.probes:
            return
        if snapshot.grid in self._diagnosed_points:
            return
        self._diagnosed_points.add(snapshot.grid)
        with self._clock.account("probe"):
            self._record.emit(_diagnostics(snapshot, self._context.diagnostics(parameters)))

    def complete(self, snapshot: HeldSnapshot) -> None:
        """Evaluate a snapshot that the result names on the other splits, and probe it."""
        splits = dict[str, Metrics]()
        evaluator = self._context.evaluator
        with self._clock.account("evaluation"):
            parameters = self._parameters(snapshot)
            for split in self._context.splits:
                if split != "validation":
                    splits[split] = _finite(evaluator.metrics(parameters, split))
        if self._trial.probes:
            with self._clock.account("probe"):
                splits["probe"] = _finite(evaluator.probe(parameters))
        if splits:
            self._record.emit(_other_splits(snapshot, splits))

    def _parameters(self, snapshot: HeldSnapshot) -> Parameters:
        if not snapshot.needs_statistics:
            return snapshot.parameters
        return self._context.statistics.recompute(snapshot.parameters)


def _part(metrics: ExampleMetrics, of: int) -> Part | None:
    """The event's information on a part of a split; None for the whole split."""
    estimates = {name: estimate(values, of) for name, values in metrics.items()}
    examples = next(iter(estimates.values())).examples
    if examples == of:
        return None
    errors = {name: one.standard_error for name, one in estimates.items()}
    return Part(examples=examples, of=of, standard_errors=_finite(errors))


def _other_splits(snapshot: HeldSnapshot, splits: Mapping[str, Metrics]) -> OtherSplits:
    """The event, with only the values that were computed."""
    event = OtherSplits(
        grid=snapshot.grid,
        step=snapshot.step,
        timed_s=snapshot.timed_s,
        examples=snapshot.examples,
    )
    return event.model_copy(update=dict(splits))


def _diagnostics(snapshot: HeldSnapshot, values: Mapping[str, float]) -> Diagnostics:
    return Diagnostics(
        grid=snapshot.grid,
        step=snapshot.step,
        timed_s=snapshot.timed_s,
        examples=snapshot.examples,
        values=_finite(values),
    )


def _finite(metrics: Mapping[str, float]) -> Metrics:
    return {name: finite_or_none(number) for name, number in metrics.items()}
