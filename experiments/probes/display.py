"""A line for each probe's trial that has ended."""

from __future__ import annotations

from experiments.probes.verdicts import OF_STATE
from harness.display.endings import EndingsDisplay
from harness.plan.trial import TrialRecord


class ProbesDisplay(EndingsDisplay):
    """Says how each trial ended in the words of probes, and which probe it was."""

    def finish(self, record: TrialRecord) -> None:
        """Say how it ended."""
        trial, result = record.trial, record.result
        if result is not None:
            steps = result.steps_to_target or result.steps
            self._say(
                f"{trial.submission.name} on {trial.workload}, point {trial.trial}: "
                f"{OF_STATE[result.state]} after {steps} steps"
            )
