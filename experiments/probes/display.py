"""A line for each probe's trial that has ended."""

from __future__ import annotations

from collections.abc import Callable

from experiments.probes.verdicts import OF_STATE
from harness.plan.trial import Trial, TrialRecord
from harness.record.schema import ToldEvent


class ProbesDisplay:
    """Says how each trial ended, and nothing of what comes before.

    Args:
        say: shows a line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def note(self, text: str) -> None:
        """Let it pass."""

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Let it pass."""

    def event(self, event: ToldEvent) -> None:
        """Let it pass."""

    def finish(self, record: TrialRecord) -> None:
        """Say how it ended."""
        trial, result = record.trial, record.result
        if result is None:
            return
        steps = result.steps_to_target or result.steps
        self._say(
            f"{trial.submission.name} on {trial.workload}, point {trial.trial}: "
            f"{OF_STATE[result.state]} after {steps} steps"
        )

    def close(self) -> None:
        """Let it pass."""
