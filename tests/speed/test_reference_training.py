"""Reference training: real steps in a real worker, in both frameworks."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.plan.plan import PlanRequest
from harness.speed import reference_training
from harness.speed.reference_training import measure
from harness.submission.reference import Framework


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_reference_training_times_its_steps(
    framework: Framework, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_training, "DURATIONS_S", (3.0,))
    measurement = measure(
        PlanRequest("mlp", "adamw", framework=framework), RunOptions(threads=1), print
    )
    assert 1e-5 < measurement.step_s < 0.5
    assert 0.0 <= measurement.startup_s < 3.0
    assert measurement.spread >= 0.0
    assert 0.0 <= measurement.others <= 1.0


def test_slow_steps_are_timed_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_training, "DURATIONS_S", (0.02, 3.0))
    assert measure(PlanRequest("mlp", "adamw"), RunOptions(threads=1), print).step_s > 1e-5


def test_rounds_that_differ_are_timed_for_longer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference_training, "DURATIONS_S", (2.0, 3.0))
    monkeypatch.setattr(reference_training, "AGREEING", 0.0)  # no two rounds agree as well
    monkeypatch.setattr(reference_training, "IDLE", 1.0)
    measure(PlanRequest("mlp", "adamw"), RunOptions(threads=1), print)
    assert "measuring for longer" in capsys.readouterr().out


def test_steps_that_are_too_few_for_any_time_are_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_training, "DURATIONS_S", (0.01, 0.02))
    with pytest.raises(HarnessError, match="steps in 0 s, too few to time"):
        measure(PlanRequest("mlp", "adamw"), RunOptions(threads=1), print)
