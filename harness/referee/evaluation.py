"""The judge of a trial's snapshots: metrics of each split, on the record and off the clock."""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.plan.trial import Trial
from harness.record.recorder import Recorder
from harness.record.schema import Evaluation, Metrics
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
        """The target's metric on the validation split."""
        value, splits = math.nan, dict[str, Metrics]()
        with self._clock.account("evaluation"):
            for split in self._context.splits:
                metrics = self._context.evaluator.metrics(snapshot.parameters, split)
                splits[split] = _finite(metrics)
                if split == "validation":
                    value = metrics[self._trial.target.metric]
        if self._trial.probes:
            with self._clock.account("probe"):
                splits["probe"] = _finite(self._context.evaluator.probe(snapshot.parameters))
        with self._clock.account("record"):
            self._record.emit(_event(snapshot, splits))
        return value


def _event(snapshot: HeldSnapshot, splits: Mapping[str, Metrics]) -> Evaluation:
    """The event of an evaluation; what was not evaluated is not in it."""
    evaluation = Evaluation(
        grid=snapshot.grid,
        step=snapshot.step,
        timed_s=snapshot.timed_s,
        examples=snapshot.examples,
        validation=splits["validation"],
    )
    return evaluation.model_copy(update={k: v for k, v in splits.items() if k != "validation"})


def _finite(metrics: Mapping[str, float]) -> Metrics:
    return {name: finite_or_none(number) for name, number in metrics.items()}
