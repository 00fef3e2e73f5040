"""Trials on a real Slurm: placed, preempted, cancelled, queued twice, and never lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.display.endings import EndingsDisplay, RemoteDisplay
from harness.execution.local import LocalExecutor
from harness.execution.remote import resources_of, run_command, trial_command
from harness.execution.slurm.arrays import Arrays
from harness.execution.slurm.executor import SlurmExecutor
from harness.execution.slurm.profile import SlurmProfile
from harness.plan.trial import Trial, TrialRecord
from harness.record.attempts import of_type
from harness.record.ledger import Ledger
from harness.record.log import read_events
from harness.record.plan import write_plan
from harness.record.schema import Begin, Resumed
from harness.record.schema.ledger import AttemptBegun
from harness.record.tables import results_frame
from harness.referee.checkpoint import CHECKPOINT_FILE
from harness.sandboxes.docker.engine import IMAGE_VARIABLE
from harness.verification.store import verify_store
from tests.containers_kit import built_image
from tests.recovery.conftest import curve

from .conftest import Site

pytestmark = pytest.mark.slurm
LONG = 4000
"""Steps that leave time to do something to a trial that makes them."""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


def ran(site: Site, trials: tuple[Trial, ...]) -> tuple[TrialRecord, ...]:
    """What a command of its own does with some trials."""
    with site.executor() as executor:
        return executor.run(trials, site.options)


def wait_until(condition: Callable[[], bool], limit_s: float = 600.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def checkpoints(site: Site, trial: Trial) -> int:
    log = site.log(trial)
    return log.read_bytes().count(b'"kind":"checkpoint"') if log.exists() else 0


def running_with_checkpoint(
    site: Site, pool: ThreadPoolExecutor
) -> tuple[tuple[Trial, ...], Future[tuple[TrialRecord, ...]]]:
    """One long trial of a command that still runs, once it has a checkpoint."""
    trials = site.trials(1, steps=LONG)
    running = pool.submit(ran, site, trials)
    wait_until(lambda: checkpoints(site, trials[0]) >= 1)
    return trials, running


def lives(site: Site, trial: Trial) -> tuple[int, int]:
    """How many attempts of a trial have begun, and how often one went on from a checkpoint."""
    events = read_events(site.log(trial))
    return len(of_type(events, Begin)), len(of_type(events, Resumed))


def job_of(site: Site) -> str:
    return site.cluster.ask("squeue", "-h", "-o", "%A").split()[0]


def test_a_study_runs_as_one_array(site: Site) -> None:
    trials = site.trials(3, steps=50)
    records = ran(site, trials)
    assert [record.result.state for record in records if record.result] == ["budget"] * 3
    assert len(site.arrays()) == 1
    assert not verify_store(site.store).findings
    assert not site.calls.exists(), "a node needs scontrol"


def test_finished_trials_are_not_queued_again(site: Site) -> None:
    trials = site.trials(2, steps=50)
    first = ran(site, trials[:1])
    assert ran(site, trials)[0] == first[0]
    assert len(site.arrays()) == 2
    assert all(lives(site, trial) == (1, 0) for trial in trials)


def test_a_preempted_trial_is_not_taken_as_finished_and_goes_on_from_its_checkpoint(
    site: Site, pool: ThreadPoolExecutor
) -> None:
    trials, running = running_with_checkpoint(site, pool)
    site.cluster.ask("sbatch", "-p", "urgent", "--exclusive", "-o", "/dev/null", "--wrap=sleep 1")
    (record,) = running.result(timeout=600)
    assert record.result is not None
    assert record.result.steps == LONG
    assert lives(site, trials[0]) == (1, 1)
    assert len(site.arrays()) == 1, "Slurm itself had queued it again"
    assert not verify_store(site.store).findings


def test_a_cancelled_trial_is_queued_again_and_goes_on_from_its_checkpoint(
    site: Site, pool: ThreadPoolExecutor
) -> None:
    trials, running = running_with_checkpoint(site, pool)
    site.cluster.ask("scancel", job_of(site))
    running.result(timeout=600)
    assert lives(site, trials[0]) == (1, 1)
    assert len(site.arrays()) == 2


def test_a_requeue_from_a_stale_checkpoint_gives_the_same_curve(
    site: Site, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    trials = site.trials(1, steps=LONG)
    running = pool.submit(ran, site, trials)
    place = site.store / trials[0].folder / CHECKPOINT_FILE
    wait_until(place.exists)
    stale = place.read_bytes()
    wait_until(lambda: checkpoints(site, trials[0]) >= 3)
    job = job_of(site)
    site.cluster.ask("scontrol", "requeuehold", job)
    wait_until(lambda: "PENDING" in site.cluster.ask("squeue", "-h", "-o", "%T"))
    place.write_bytes(stale)
    site.cluster.ask("scontrol", "release", job)
    running.result(timeout=600)
    whole = tmp_path / "whole"
    write_plan(trials, whole)
    with LocalExecutor(whole, EndingsDisplay(print)) as local:
        local.run(trials, site.options)
    assert lives(site, trials[0]) == (1, 1)
    assert curve(trials[0], site.store) == curve(trials[0], whole)


def test_a_second_command_waits_for_what_is_queued(site: Site, pool: ThreadPoolExecutor) -> None:
    trials = site.trials(1, steps=LONG)
    first = pool.submit(ran, site, trials)
    wait_until(lambda: len(site.arrays()) == 1 and checkpoints(site, trials[0]) >= 1)
    assert ran(site, trials) == first.result(timeout=600)
    assert len(site.arrays()) == 1


def test_a_trial_that_runs_unknown_to_the_command_is_waited_for(
    site: Site, pool: ThreadPoolExecutor
) -> None:
    trials = site.trials(1, steps=LONG)
    first = pool.submit(ran, site, trials)
    wait_until(lambda: checkpoints(site, trials[0]) >= 1)
    site.arrays()[0].unlink()  # as if the first command had not written down what it queued
    assert ran(site, trials) == first.result(timeout=600)
    assert len(list(site.store.glob("slurm/*"))) == 1, "it was queued again while it ran"
    starts = [e for e in Ledger(site.store).entries() if isinstance(e, AttemptBegun)]
    assert len(starts) == 1
    assert not verify_store(site.store).findings


def test_a_trial_that_is_requeued_and_queued_again_runs_once(
    site: Site, pool: ThreadPoolExecutor
) -> None:
    trials = site.trials(1, steps=LONG)
    first = pool.submit(ran, site, trials)
    wait_until(lambda: checkpoints(site, trials[0]) >= 1)
    need = resources_of(trials, site.options)
    command = trial_command(trials[0], site.store, site.options)
    again = Arrays(site.store, SlurmProfile(memory_gib=4))
    again.submit([trials[0].identity], need, run_command, [command])
    (record,) = first.result(timeout=600)
    wait_until(lambda: not again.queued_tasks())
    assert record.result is not None
    assert record.result.steps == LONG
    assert lives(site, trials[0]) == (1, 0)
    starts = [e for e in Ledger(site.store).entries() if isinstance(e, AttemptBegun)]
    assert len(starts) == 1
    assert not verify_store(site.store).findings


def test_a_plan_above_the_sites_array_limit_becomes_several_arrays(site: Site) -> None:
    trials = site.trials(5, steps=20)
    assert all(record.result for record in ran(site, trials))
    assert len(site.arrays()) == 2


def test_a_trial_on_several_devices_gets_the_cores_of_all(site: Site) -> None:
    (record,) = ran(site, site.trials(1, steps=50, devices=2))
    assert record.result is not None
    assert record.result.steps == 50
    job = next(line.split()[-1] for line in site.messages if "queued as job" in line)
    assert "NumCPUs=2 " in site.cluster.ask("scontrol", "show", "job", job)


def test_a_trial_trains_in_a_container_on_a_node(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(IMAGE_VARIABLE, built_image())
    site.options = replace(site.options, sandbox="docker")
    (record,) = ran(site, site.trials(1, steps=50))
    assert record.result is not None
    assert (record.result.state, record.result.steps) == ("budget", 50)
    assert set(results_frame(site.store)["sandbox"]) == {"docker"}


def test_no_more_are_queued_at_once_than_the_profile_says(site: Site) -> None:
    site.write_profile("max_queued = 1")
    trials = site.trials(2, steps=20)
    assert all(record.result for record in ran(site, trials))
    assert len(site.arrays()) == 2


def test_a_trial_that_never_comes_further_is_given_up_with_what_it_printed(site: Site) -> None:
    site.write_profile("attempts = 2")
    site.options = replace(site.options, fingerprint="0" * 12)
    trials = site.trials(1, steps=20)
    with pytest.raises(HarnessError, match="left the queue 2 times") as error:
        ran(site, trials)
    (output,) = [Path(word.strip(";")) for word in error.value.hint.split() if "log.out" in word]
    assert "has other hardware" in output.read_text()


class Interrupting(RemoteDisplay):
    """A user who presses Ctrl-C as soon as a trial runs."""

    def note(self, text: str) -> None:
        if "1 running" in text:
            raise KeyboardInterrupt


def test_ctrl_c_cancels_what_is_queued(site: Site) -> None:
    trials = site.trials(1, steps=LONG)
    executor = SlurmExecutor(site.store, Interrupting(print), profile=site.profile)
    with pytest.raises(KeyboardInterrupt), executor:
        executor.run(trials, site.options)
    wait_until(lambda: not site.cluster.ask("squeue", "-h").strip())
    assert len(site.arrays()) == 1


def test_an_error_of_one_command_leaves_the_trials_of_another_running(
    site: Site, pool: ThreadPoolExecutor
) -> None:
    trials, running = running_with_checkpoint(site, pool)
    with pytest.raises(HarnessError, match="a typo"), site.executor():
        raise HarnessError("a typo", "")
    running.result(timeout=600)
    assert lives(site, trials[0]) == (1, 0)
    assert len(site.arrays()) == 1


def test_ctrl_c_cancels_what_an_earlier_command_left_queued(site: Site) -> None:
    trials = site.trials(1, steps=LONG)
    command = trial_command(trials[0], site.store, site.options)
    arrays = Arrays(site.store, SlurmProfile(memory_gib=4))
    need = resources_of(trials, site.options)
    arrays.submit([trials[0].identity], need, run_command, [command])
    executor = SlurmExecutor(site.store, Interrupting(print), profile=site.profile)
    with pytest.raises(KeyboardInterrupt), executor:
        executor.run(trials, site.options)
    wait_until(lambda: not site.cluster.ask("squeue", "-h").strip())
    assert len(site.arrays()) == 1
