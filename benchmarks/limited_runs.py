"""Run plans into one store, as far as a time limit permits."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterable
from pathlib import Path

from harness.core.errors import HarnessError
from harness.display.endings import EndingsDisplay
from harness.execution.base import RunOptions
from harness.execution.local import LocalExecutor
from harness.machine.hardware import hardware
from harness.plan.plan import Plan, PlanRequest
from harness.plan.trial import MachineSpeed, Trial, TrialRecord
from harness.record.plan import unfinished_trials
from harness.runs.run import plan_here, run_plan
from harness.speed.factor import speeds_of

BESIDE_S = 15.0
"""The time of a trial besides its budget (start, warm-up, evaluation); more than any measured one.
"""
COUNTED_S = 30.0
"""The maximum training time where steps are counted and seconds only bound a worker that hangs."""


class LimitedRuns:
    """Runs plans into one store; finished trials are not run again.

    Args:
        store: the folder of the records.
        until_s: when all must have ended, by `time.monotonic`.
        beside_s: the maximum time of a trial besides its budget.
    """

    def __init__(self, store: Path, until_s: float, beside_s: float = BESIDE_S) -> None:
        self.store, self._until_s, self._beside_s = store, until_s, beside_s
        self.options, self._speeds = RunOptions(), list[MachineSpeed]()

    def plan(self, request: PlanRequest) -> Plan:
        """The plan of a request on this machine, whose speed is measured once per store."""
        plan = plan_here(request, self.options, self.store, print, self._speeds)
        self._speeds += speeds_of(plan)
        return plan

    def fits(self, plan: Plan) -> bool:
        """Whether the unfinished trials of a plan can end in time."""
        pending = unfinished_trials(plan.trials, self.store)
        return not pending or time.monotonic() + sum(map(self._longest_s, pending)) < self._until_s

    def run(self, plan: Plan) -> tuple[TrialRecord, ...]:
        """Run the unfinished trials of a plan; returns the records of all its trials."""
        if pending := unfinished_trials(plan.trials, self.store):
            first = pending[0]
            of = f"{first.submission.name} ({first.framework}) on {first.workload}"
            print(f"{of}, study {first.study}", flush=True)
        executor = LocalExecutor(self.store, EndingsDisplay(print))
        return run_plan(plan, self.store, self.options, executor)

    def run_in_time(self, plan: Plan) -> bool:
        """Run a plan if it fits; returns whether all its trials have ended."""
        if self.fits(plan):
            self.run(plan)
        return not unfinished_trials(plan.trials, self.store)

    def _longest_s(self, trial: Trial) -> float:
        budget = trial.budget
        return (budget.runtime_s if budget.steps is None else COUNTED_S) + self._beside_s


def this_machine(fingerprints: Iterable[str]) -> str:
    """A description of this machine, on which all trials must have run.

    Args:
        fingerprints: of the machines of the trials.

    Raises:
        HarnessError: one of them ran on another machine.
    """
    machine = hardware("cpu")
    if others := set(fingerprints) - {machine.fingerprint}:
        raise HarnessError(
            f"trials ran on another machine, {', '.join(sorted(others))}; this one is "
            f"{machine.fingerprint}",
            "give a --store of this machine's own",
        )
    return f"{machine.cores} cores of {machine.processor}, {machine.memory_gib} GiB"


def days(begun_at: Iterable[str]) -> str:
    """The days on which trials began, from the first to the last, in words.

    Args:
        begun_at: the times at which trials began, ISO 8601.
    """
    dates = {datetime.date.fromisoformat(text[:10]) for text in begun_at}
    first, last = (f"{day.day} {day:%B %Y}" for day in (min(dates), max(dates)))
    return f"on {first}" if first == last else f"from {first} to {last}"
