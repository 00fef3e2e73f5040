"""An error of one trial on a cluster costs no other trial what it has done."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.display.endings import RemoteDisplay
from harness.execution.base import RunOptions
from harness.execution.ray.shipping import Shipment
from harness.plan.plan import PlanRequest, plan
from harness.record.ledger import Ledger
from harness.record.plan import unfinished_trials, write_plan
from harness.record.tables import results_frame

SCALE: Any = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "scale.py"))
)


class OneFails(SCALE.SimulatedEngine):  # type: ignore[misc]
    """A cluster on which the trial that ends first leaves no result."""

    has_failed = False

    def outcome(self, reference: int) -> Any:
        result = super().outcome(reference)
        if self.has_failed or not isinstance(result, Shipment):
            return result
        self.has_failed = True
        output = "no space left\nfree some"
        return replace(result, files={}, entries=result.entries[:-1], output=output)


def test_trials_that_run_meanwhile_come_home_before_an_error_is_raised(tmp_path: Path) -> None:
    trials = plan(PlanRequest("mlp", "adamw", studies=4, trials=3)).trials
    write_plan(trials, tmp_path)
    with SCALE.SimulatedExecutor(tmp_path, RemoteDisplay(print)) as executor:
        executor._engine = OneFails(seed=0)
        with pytest.raises(HarnessError, match="has no result: no space left") as error:
            executor.run(trials, RunOptions())
        assert error.value.hint == "free some"
        (left,) = unfinished_trials(trials, tmp_path)
        executor._engine = SCALE.SimulatedEngine(seed=0)
        executor.run(trials, RunOptions())
    assert left in trials
    assert unfinished_trials(trials, tmp_path) == ()


class Interrupted(SCALE.SimulatedEngine):  # type: ignore[misc]
    """A user who presses Ctrl-C while trials run."""

    def wait(self, *_: object) -> list[int]:
        raise KeyboardInterrupt


class NodeFails(SCALE.SimulatedEngine):  # type: ignore[misc]
    """A cluster on which no trial returns."""

    def outcome(self, reference: int) -> Any:
        result = super().outcome(reference)
        if isinstance(result, Shipment):
            raise HarnessError("executor 'ray': a node failed: no space left")
        return result


@pytest.mark.parametrize(
    ("engine", "error"), [(Interrupted, KeyboardInterrupt), (NodeFails, HarnessError)]
)
def test_an_attempt_that_never_came_home_is_in_the_ledger(
    engine: Any, error: type[BaseException], tmp_path: Path
) -> None:
    trials = plan(PlanRequest("mlp", "adamw", studies=1, trials=3)).trials
    write_plan(trials, tmp_path)
    with SCALE.SimulatedExecutor(tmp_path, RemoteDisplay(print)) as executor:
        executor._engine = engine(seed=0)
        with pytest.raises(error):
            executor.run(trials, RunOptions())
        assert [Ledger(tmp_path).attempts(trial.identity) for trial in trials] == [1, 1, 1]
        executor._engine = SCALE.SimulatedEngine(seed=0)
        executor.run(trials, RunOptions())
    assert min(results_frame(tmp_path)["attempt"]) == 2
