"""What trackers are sent of an ended trial."""

from __future__ import annotations

import math

import pytest

from harness.core.errors import HarnessError, UnknownNameError
from harness.record.plan import write_plan
from harness.record.trackers.load import tracker_names
from harness.record.trackers.tracked_run import tracked_run
from tests.record.conftest import Curve, SampleStore, ending, time_at


def test_a_run_has_point_state_and_what_tells_trials_apart(shared_sample: SampleStore) -> None:
    run, trial = tracked_run(shared_sample.folder), shared_sample.trial
    assert run.name == "adamw (torch) on mlp, 1.1"
    assert run.key == f"{trial.identity[:16]}-1"
    assert run.point == trial.point
    assert run.facts.items() >= {"suite": "quick", "study": "1", "state": "reached"}.items()
    assert run.is_success


def test_its_values_are_in_the_order_of_steps_whatever_was_evaluated_when(
    shared_sample: SampleStore,
) -> None:
    run, trial = tracked_run(shared_sample.folder), shared_sample.trial
    steps = [scalars.step for scalars in run.curves]
    assert steps == [100 * grid for grid in range(1, Curve(trial).points + 1)]
    metric = f"validation/{trial.target.metric}"
    assert [s.step for s in run.curves if metric in s.values] == [500, 600, 700, 1000]
    assert [s.timed_s for s in run.curves] == [time_at(trial, step // 100) for step in steps]


def test_its_summary_is_the_result(shared_sample: SampleStore) -> None:
    run, result = tracked_run(shared_sample.folder), ending(shared_sample.trial)
    assert result.time_to_target_s is not None
    assert math.isclose(run.summary["result/time_to_target_s"], result.time_to_target_s)


def test_a_trial_that_has_not_ended_is_no_run(sample: SampleStore) -> None:
    another = sample.trial.model_copy(update={"study": 2})
    write_plan([another], sample.store)
    with pytest.raises(HarnessError, match="has not ended"):
        tracked_run(sample.store / another.folder)


def test_tensorboard_needs_no_flag() -> None:
    with pytest.raises(UnknownNameError, match="always written"):
        tracker_names(["tensorboard"])
