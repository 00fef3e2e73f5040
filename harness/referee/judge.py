"""The judge of a trial's snapshots: metrics of each split, on the record and off the clock."""

from __future__ import annotations

import math
from typing import Any

from harness.plan.trial import Trial
from harness.record.recorder import Recorder
from harness.referee.bench import Bench
from harness.referee.checks import finite_or_none
from harness.referee.clock import Clock
from harness.referee.observation import Observed


class Judge:
    """Evaluates what the worker handed over, while it stands still.

    Args:
        trial: names the target's metric, and says whether probes are wanted.
        bench: has the evaluator and the splits.
        clock: is told what the evaluation took.
        recorder: takes what was found.
    """

    def __init__(self, trial: Trial, bench: Bench, clock: Clock, recorder: Recorder) -> None:
        self._trial, self._bench = trial, bench
        self._clock, self._record = clock, recorder

    def value(self, observed: Observed) -> float:
        """The target's metric on the validation split."""
        bench, value = self._bench, math.nan
        data: dict[str, Any] = {"grid": observed.grid, "step": observed.step}
        data |= {"timed_s": observed.timed_s, "examples": observed.examples}
        with self._clock.account("evaluation"):
            for split in bench.splits:
                metrics = bench.evaluator.metrics(observed.parameters, split)
                data[split] = {name: finite_or_none(number) for name, number in metrics.items()}
                if split == "validation":
                    value = metrics[self._trial.target.metric]
        if self._trial.probes:
            with self._clock.account("probe"):
                probe = bench.evaluator.probe(observed.parameters)
                data["probe"] = {name: finite_or_none(number) for name, number in probe.items()}
        with self._clock.account("record"):
            self._record.emit("evaluation", data)
        return value
