"""What a hostile submission leaves behind: processes, links, caches, trials to be resumed."""

import os
import signal
import time
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.execution import trial as execution
from harness.plan.trial import Trial
from harness.record.ledger import Ledger
from harness.record.log import read_events
from harness.record.store import EVENTS_FILE
from harness.sandboxes.fork_client import ForkServer
from harness.verification.store import verify_store

from . import signs, submitted_snapshots, switches, timing
from .arena import Arena
from .processes import is_running
from .table import CASES, TIMED

BY_NAME = {case.name: case for case in CASES}


def beginnings(arena: Arena, trial: Trial) -> int:
    events = read_events(arena.store / trial.folder / EVENTS_FILE)
    return sum(event.kind == "begin" for event in events)


def test_a_checkpoint_that_is_code_runs_in_no_referee(arena: Arena) -> None:
    trial = submitted_snapshots.left_with_a_checkpoint(arena, "checkpoint_code")
    result = arena.run_planned(trial).result
    assert (result.state, "not a state" in result.reason) == ("crashed", True)
    assert not submitted_snapshots.was_code_run()


def test_a_process_left_behind_lives_on_outside_a_process_namespace(arena: Arena) -> None:
    BY_NAME["outlive"].off(arena)
    arena.run("outlive")
    left = is_running(arena.marker)
    assert left
    for pid in left:
        os.kill(pid, signal.SIGKILL)


def lives_on(pid: int) -> bool:
    """Whether a process is there a while after it should have been killed."""
    deadline_s = time.monotonic() + 2.0
    while (is_there := Path(f"/proc/{pid}").exists()) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return is_there


@pytest.mark.parametrize("is_killed_by_number", [True, False])
def test_a_worker_that_has_left_its_group_is_killed_by_its_number(
    arena: Arena, is_killed_by_number: bool
) -> None:
    arena.plain()
    if not is_killed_by_number:
        switches.kill_by_group(arena)
    arena.run("leave_group")
    pid = arena.last.plain_worker.pid
    assert lives_on(pid) != is_killed_by_number
    if not is_killed_by_number:
        os.kill(pid, signal.SIGKILL)


def test_a_worker_that_is_not_killed_lives_on(arena: Arena) -> None:
    arena.plain()  # a control group would end it, too
    timing.impatient(arena)
    switches.kill_by_terminating(arena)
    arena.run("ignore_signals", **TIMED)
    pid = arena.last.plain_worker.pid
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, 0)
    os.killpg(pid, signal.SIGKILL)


def test_a_trial_whose_worker_has_died_is_not_resumed(arena: Arena) -> None:
    trial = arena.trial("exit_zero")
    first = arena.run_planned(trial).result
    assert arena.run_planned(trial).result == first
    assert (first.state, beginnings(arena, trial)) == ("crashed", 1)


@pytest.mark.nightly
def test_were_deaths_not_written_down_a_death_would_be_resumed(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "result_of", lambda folder: None)
    monkeypatch.setattr(Ledger, "end_of", lambda ledger, identity: None)
    trial = arena.trial("exit_zero")
    arena.run_planned(trial)
    arena.run_planned(trial)
    assert beginnings(arena, trial) == 2


def test_a_trial_that_brings_the_referee_down_has_ended(arena: Arena) -> None:
    arena.plain()
    switches.signals_have_names(arena)
    trial = arena.trial("die_realtime")
    first = arena.run_planned(trial).result
    assert arena.run_planned(trial).result == first
    assert (first.state, beginnings(arena, trial)) == ("crashed", 1)
    assert verify_store(arena.store).findings == ()


@pytest.mark.nightly
def test_were_such_a_fall_no_end_the_trial_would_be_run_again(arena: Arena) -> None:
    arena.plain()
    switches.signals_have_names(arena)
    switches.falls_end_nothing(arena)
    trial = arena.trial("die_realtime")
    for _ in range(2):
        with pytest.raises(ValueError, match="not a valid Signals"):
            arena.run_planned(trial)
    assert beginnings(arena, trial) == 2


def test_a_worker_that_has_killed_its_parent_harms_no_later_trial(arena: Arena) -> None:
    arena.plain()
    arena.run("kill_parent")
    assert arena.run("fingerprint_shapes", trial=2).result.state == "budget"


@pytest.mark.nightly
def test_were_the_dead_parent_kept_the_next_trial_would_not_start(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena.plain()
    arena.run("kill_parent")
    monkeypatch.setattr(ForkServer, "is_alive", True)
    with pytest.raises(HarnessError, match="parent process of the workers"):
        arena.run("fingerprint_shapes", trial=2)


def test_links_in_a_scratch_lead_nobody_out(arena: Arena) -> None:
    arena.plain()
    (arena.elsewhere / "kept").touch()
    arena.run("link_out")
    assert (arena.elsewhere / "kept").exists()


@pytest.mark.nightly
def test_a_cleaner_that_follows_links_deletes_what_is_elsewhere(arena: Arena) -> None:
    switches.clean_up_by_following(arena)
    (arena.elsewhere / "kept").touch()
    arena.run("link_out")
    assert not (arena.elsewhere / "kept").exists()


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_cache_is_poisoned_only_if_it_is_shared(arena: Arena, is_shared: bool) -> None:
    if is_shared:
        switches.one_scratch(arena)
    arena.run("poison_cache", trial=1)
    assert arena.run("poison_cache", trial=2).says_so == is_shared


def test_steps_are_free_to_claim_only_where_the_budget_is_in_steps(arena: Arena) -> None:
    outcome = arena.run("claim_steps", seconds=600.0, steps=4000)
    assert signs.steps_were_free(outcome)
    assert not outcome.trial.is_scored


def test_a_confined_worker_gets_no_timer_that_could_wake_it(arena: Arena) -> None:
    arena.need("seccomp")
    timing.slow_after("snapshot", 0.6)(arena)
    outcome = arena.run("thaw_itself")
    assert outcome.result.state == "budget"
    assert "refused" in outcome.log and not outcome.says_so


def test_a_confined_worker_gets_no_child_whose_end_could_wake_it(arena: Arena) -> None:
    arena.need("seccomp")
    timing.slow_after("snapshot", 0.6)(arena)
    outcome = arena.run("wake_by_exit")
    assert outcome.result.state == "budget"
    assert "refused" in outcome.log and not signs.computed_while_frozen(outcome)


def test_a_frozen_control_group_is_woken_by_nobodys_end(arena: Arena) -> None:
    arena.need("cgroup")
    arena.without("seccomp")
    timing.slow_after("snapshot", 0.6)(arena)
    outcome = arena.run("wake_by_exit")
    if arena.last.plain_worker.control is None:
        pytest.skip("no control group of version 2 can be made here")
    assert outcome.result.state in ("budget", "invalid")
    assert not signs.computed_while_frozen(outcome)


def test_a_stopped_parent_of_the_workers_harms_no_later_trial(arena: Arena) -> None:
    arena.plain()
    arena.run("stop_parent")
    assert arena.run("fingerprint_shapes", trial=2).result.state == "budget"


def test_a_hit_after_the_budget_does_not_fit_its_events(arena: Arena) -> None:
    overrun = BY_NAME["overrun"]
    overrun.off(arena)
    assert arena.run("overrun", **overrun.settings).result.state == "reached"
    assert not verify_store(arena.store).findings
    arena.patch.undo()
    assert "the events say 'budget'" in str(verify_store(arena.store).findings)


def test_a_log_that_is_opened_in_its_trials_folder_tells_the_worker_where_that_is(
    arena: Arena,
) -> None:
    switches.log_has_its_name(arena)
    assert "the name stands in file 1, file 2" in arena.run("peek_surroundings").log
