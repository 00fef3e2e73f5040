"""The judge of a trial's snapshots: metrics of each split, on the record and off the clock."""

from __future__ import annotations

import math
from typing import Any

from harness.plan.trial import Trial
from harness.record.recorder import Recorder
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

    def value(self, held: HeldSnapshot) -> float:
        """The target's metric on the validation split."""
        context, value = self._context, math.nan
        data: dict[str, Any] = {"grid": held.grid, "step": held.step}
        data |= {"timed_s": held.timed_s, "examples": held.examples}
        with self._clock.account("evaluation"):
            for split in context.splits:
                metrics = context.evaluator.metrics(held.parameters, split)
                data[split] = {name: finite_or_none(number) for name, number in metrics.items()}
                if split == "validation":
                    value = metrics[self._trial.target.metric]
        if self._trial.probes:
            with self._clock.account("probe"):
                probe = context.evaluator.probe(held.parameters)
                data["probe"] = {name: finite_or_none(number) for name, number in probe.items()}
        with self._clock.account("record"):
            self._record.emit("evaluation", data)
        return value
