"""The judge of a trial's snapshots: metrics of each split, on the record and off the clock."""

from __future__ import annotations

from collections.abc import Mapping

from harness.frameworks.examples import Parameters
from harness.frameworks.metrics import ExampleMetrics, joined, means
from harness.plan.trial import Trial
from harness.record.recorder import Recorder
from harness.record.schema import Diagnostics, Evaluation, Metrics, OtherSplits, Part
from harness.referee.checks import finite_or_none
from harness.referee.clear_misses import estimate, may_stop_early, up_to_a_clear_miss
from harness.referee.clock import Clock
from harness.referee.context import TrialContext
from harness.referee.target_search import HeldSnapshot, Measured


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
        self._diagnosed = set[int]()

    def value(self, snapshot: HeldSnapshot, *, whole: bool) -> Measured:
        """The target's metric on the validation split, the only one that a search looks at.

        Args:
            snapshot: what is evaluated.
            whole: whether on all of the split, even if a part shows a clear miss.
        """
        with self._clock.account("evaluation"):
            parameters = self._parameters(snapshot)
            by_example, part = self._validation(parameters, whole=whole)
            metrics = means(by_example)
        event = Evaluation(
            grid=snapshot.grid,
            step=snapshot.step,
            timed_s=snapshot.timed_s,
            examples=snapshot.examples,
            validation=_finite(metrics),
        )
        with self._clock.account("record"):
            self._record.emit(event if part is None else event.model_copy(update={"part": part}))
        self._diagnose(snapshot, parameters)
        return Measured(metrics[self._trial.target.metric], is_whole=part is None)

    def _validation(
        self, parameters: Parameters, *, whole: bool
    ) -> tuple[ExampleMetrics, Part | None]:
        """The metrics of the validation split, or of the part of it that shows a clear miss."""
        of, target = self._context.validation_examples, self._trial.target
        batches = self._context.evaluator.batches(parameters, "validation")
        if whole or of is None or not may_stop_early(self._trial):
            return joined(list(batches)), None
        metrics = up_to_a_clear_miss(batches, of, target)
        return metrics, _part(metrics, of)

    def _diagnose(self, snapshot: HeldSnapshot, parameters: Parameters) -> None:
        """Measure what the trial wants of each evaluated snapshot, once."""
        if self._context.diagnostics is None or not self._trial.probes:
            return
        if snapshot.grid in self._diagnosed:
            return
        self._diagnosed.add(snapshot.grid)
        with self._clock.account("probe"):
            self._record.emit(_diagnostics(snapshot, self._context.diagnostics(parameters)))

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


def _part(metrics: ExampleMetrics, of: int) -> Part | None:
    """What the event says of a part of a split; None of the whole."""
    found = {name: estimate(values, of) for name, values in metrics.items()}
    examples = next(iter(found.values())).examples
    if examples == of:
        return None
    errors = {name: one.standard_error for name, one in found.items()}
    return Part(examples=examples, of=of, standard_errors=_finite(errors))


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
