"""Runs small submissions, given as text, through the real referee, sandbox and worker."""

from pathlib import Path

import pytest

from harness.execution.base import RunOptions
from harness.execution.trial import run_trial
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Result, Trial
from harness.record.log import Event
from harness.record.schema import ToldEvent
from harness.record.store import last_attempt
from tests.kit import space, write_submission

SPACE = space(learning_rate=0.002)


class Ear:
    """Hears the events of a trial."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def event(self, event: ToldEvent) -> None:
        self.kinds.append(event.kind)


class Bench:
    """One store, and trials of submissions written into a folder."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.store = folder, folder / "store"
        self.options = RunOptions(cache_dir=cache)

    def trial(
        self,
        source: str,
        seconds: float = 1.0,
        target: float = 2.0,
        steps: int | None = None,
    ) -> Trial:
        place = write_submission(self.folder / "submission", source, SPACE)
        (only_trial,) = plan(PlanRequest("mlp", str(place), ruleset="self")).trials
        budget = only_trial.budget.model_copy(
            update={"runtime_s": seconds, "steps": steps, "scale": 0.5}
        )
        aim = only_trial.target.model_copy(update={"value": target})
        return only_trial.model_copy(update={"budget": budget, "target": aim})

    def run(self, source: str, seconds: float = 1.0, target: float = 2.0) -> Result:
        return self.run_planned(self.trial(source, seconds, target))

    def run_planned(self, trial: Trial) -> Result:
        return run_trial(trial, self.store, self.options, Ear())

    def events(self, trial: Trial) -> list[Event]:
        attempt = last_attempt(self.store / trial.folder)
        assert attempt is not None
        return list(attempt.events)


@pytest.fixture
def bench(tmp_path: Path, data_cache: Path) -> Bench:
    return Bench(tmp_path, data_cache)
