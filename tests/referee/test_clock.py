"""The referee's clock: every second in one entry."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import cast

import pytest

from harness.plan.trial import TrialBudget
from harness.record.schema import End
from harness.referee.clock import Clock
from harness.referee.freezer import FREE_S, Freezer
from harness.referee.idle import IdleProbe
from harness.sandboxes.base import WorkerProcess

from .conftest import Bench
from .test_states import ADAMW

Wait = Callable[[float], None]


class SlowToFreeze:
    """A worker that goes on for a second after it was told to stop."""

    def __init__(self, wait: Wait) -> None:
        self._wait = wait

    def freeze(self) -> bool:
        self._wait(1.0)
        return True

    def has_stayed_frozen(self) -> bool:
        return True

    def thaw(self) -> None:
        pass


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Lets seconds pass at once."""
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])

    def passes(seconds: float) -> None:
        now_s[0] += seconds

    return passes


def test_of_entries_within_each_other_the_innermost_has_the_time(wait: Wait) -> None:
    clock = Clock()
    with clock.account("evaluation"):
        wait(1.0)
        with clock.account("record"):
            wait(2.0)
        wait(4.0)
    assert clock.others() == {"idle": 0.0, "evaluation": 5.0, "record": 2.0}


def test_what_is_timed_is_in_no_other_entry(wait: Wait) -> None:
    clock = Clock()
    with clock.account("load"):
        wait(1.0)
        clock.start()
        wait(2.0)
        clock.stop()
    assert clock.entries() == {"timed_s": 2.0, "idle_s": 0.0, "load_s": 1.0}


def test_what_no_entry_names_is_frozen_or_idle(wait: Wait) -> None:
    clock = Clock(time.monotonic() - 8.0)
    wait(1.0)
    clock.mark_frozen()
    wait(2.0)
    clock.start()
    clock.stop()
    wait(4.0)
    assert clock.others() == {"prepare": 8.0, "idle": 5.0, "frozen": 2.0}


def test_what_is_charged_moves_from_its_entry_to_the_timed_one(wait: Wait) -> None:
    clock = Clock()
    with clock.account("freeze"):
        wait(3.0)
    clock.charge("freeze", 2.0)
    assert clock.entries() == {"timed_s": 2.0, "idle_s": 0.0, "freeze_s": 1.0}


def test_a_worker_that_is_slow_to_freeze_pays_for_it(wait: Wait) -> None:
    clock, budget = Clock(), TrialBudget(runtime_s=60.0, steps=1)
    idle = IdleProbe(lambda: None, 1.0, 1.0)
    freezer = Freezer(cast(WorkerProcess, SlowToFreeze(wait)), idle, budget, clock)
    freezer.freeze()
    assert clock.timed_s == 0.0  # the snapshot before was complete
    freezer.thaw()
    assert clock.timed_s == pytest.approx(1.0 - FREE_S)


def test_a_successor_has_loaded_anew_off_the_clock(wait: Wait) -> None:
    clock = Clock()
    clock.start()
    wait(1.0)
    clock.stop()
    clock.resume(30.0, {"evaluation": 3.0})
    assert clock.entries() == {
        "timed_s": 30.0,
        "idle_s": 0.0,
        "restore_s": 1.0,
        "evaluation_s": 3.0,
    }


def test_the_entries_of_a_trial_sum_to_its_wall_time(bench: Bench) -> None:
    bench.run_planned(trial := bench.trial(ADAMW, seconds=1.0))
    begin, *_, end = bench.events(trial)
    at = [datetime.fromisoformat(event.at) for event in (begin, end)]
    assert isinstance(end.data, End)
    clock = end.data.clock
    assert clock is not None
    assert sum(clock.values()) == pytest.approx((at[1] - at[0]).total_seconds(), abs=0.1)
    assert {"timed_s", "warm_up_s", "snapshot_copy_s", "evaluation_s", "frozen_s"} < set(clock)
    assert clock["idle_s"] + clock["frozen_s"] < 0.3
