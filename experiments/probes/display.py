"""Display a line for each ended trial of a probe."""

from __future__ import annotations

from experiments.probes.verdicts import OF_STATE
from harness.display.endings import EndingsDisplay
from harness.plan.trial import TrialRecord


class ProbesDisplay(EndingsDisplay):
    """Reports how each trial ended, in the terms of probes."""

    def finish(self, record: TrialRecord) -> None:
        """Report how it ended."""
        trial, result = record.trial, record.result
        if result is not None:
            steps = result.steps_to_target or result.steps
            self._say(
                f"{trial.submission.name} on {trial.workload}, point {trial.trial}: "
                f"{OF_STATE[result.state]} after {steps} steps"
            )
