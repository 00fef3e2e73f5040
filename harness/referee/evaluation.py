"""The judge of a trial's snapshots: metrics of each split, on the record and off the clock."""

from __future__ import annotations

from collections.abc import Mapping

from harness.frameworks.examples import Parameters
from harness.plan.trial import Trial
from harness.record.recorder import Recorder
from harness.record.schema import Diagnostics, Evaluation, Metrics, OtherSplits
from harness.referee.checks import finite_or_none
from harness.referee.clock import Clock
from harness.referee.context import TrialContext
from harness.referee.target_search import HeldSnapshot


class SnapshotEvaluator:
    """Evaluates what the worker handed over, while it is frozen.

    Args:
        trial: names the target's metric, and says whether probes are wanted.
        context: has the evaluator and the splits.
        clock: is told what the evaluation took.
        recorder: takes what was found.
    """

    def __init__(
        self, trial: Trial, context: TrialContext, clock: Clock, recorder: Recorder
    ) -> None:
        self._trial, self._context = trial, context
        self._clock, self._record = clock, recorder

    def value(self, snapshot: HeldSnapshot) -> float:
        """The target's metric on the validation split, the only one that a search looks at."""
        with self._clock.account("evaluation"):
            parameters = self._parameters(snapshot)
            metrics = self._context.evaluator.metrics(parameters, "validation")
        with self._clock.account("record"):
            self._record.emit(
                Evaluation(
                    grid=snapshot.grid,
                    step=snapshot.step,
                    timed_s=snapshot.timed_s,
                    examples=snapshot.examples,
                    validation=_finite(metrics),
                )
            )
        if self._context.diagnostics is not None and self._trial.probes:
            with self._clock.account("probe"):
                self._record.emit(_diagnostics(snapshot, self._context.diagnostics(parameters)))
        return metrics[self._trial.target.metric]

    def complete(self, snapshot: HeldSnapshot) -> None:
        """Evaluate a snapshot that the result keeps on the other splits, and probe it."""
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


def _other_splits(snapshot: HeldSnapshot, splits: Mapping[str, Metrics]) -> OtherSplits:
    """The event; what was not evaluated is not in it."""
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
