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
from harness.record.plan import unfinished_trials, write_plan

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
