"""Runs small submissions, given as text, through the real referee, sandbox and worker."""

import pytest

from harness.execution.base import RunOptions
from harness.execution.trial import run_trial
from harness.plan.plan import PlanRequest, plan
from harness.record.schema import ToldEvent
from harness.record.tables import last_attempt

SPACE = """
summary = "for a test"
family = "test"
frameworks = ["torch"]
[default]
learning_rate = 0.002
"""


class Ear:
    """Hears the events of a trial."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def event(self, event: ToldEvent) -> None:
        self.kinds.append(event.kind)


class Bench:
    """One store, and trials of submissions written into a folder."""

    def __init__(self, folder, cache):
        self.folder, self.store = folder, folder / "store"
        self.options = RunOptions(cache_dir=cache)

    def trial(self, source, seconds=1.0, target=2.0, steps=None, **changes):
        place = self.folder / "submission"
        place.mkdir(exist_ok=True)
        (place / "submission.py").write_text(source)
        (place / "space.toml").write_text(SPACE)
        (planned,) = plan(PlanRequest("mlp", str(place), ruleset="self")).trials
        budget = planned.budget.model_copy(
            update={"runtime_s": seconds, "steps": steps, "scale": 0.5}
        )
        aim = planned.target.model_copy(update={"value": target})
        return planned.model_copy(update={"budget": budget, "target": aim, **changes})

    def run(self, source, **changes):
        return self.run_planned(self.trial(source, **changes))

    def run_planned(self, trial):
        return run_trial(trial, self.store, self.options, Ear())

    def events(self, trial):
        return list(last_attempt(self.store / trial.folder).events)


@pytest.fixture
def bench(tmp_path, data_cache):
    return Bench(tmp_path, data_cache)
