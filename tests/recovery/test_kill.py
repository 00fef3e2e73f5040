"""Referee, worker or both are killed at random instants; nothing is lost, nothing hidden."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.plan.trial import Trial
from harness.record.store import read_record
from harness.verification.store import verify_store

from .conftest import Lives, Point, curve, has_ended

EVENTS = 60
"""About as many as an undisturbed life writes."""


def check_lives(lives: Lives, store: Path, kills: int, seed: int, **changes: Any) -> None:
    """A trial whose referee is killed again and again, until it has ended."""
    trial, instants = lives.trial(**changes), Random(seed)
    lives.whole(trial, store / "whole")
    for _ in range(kills):
        if not has_ended(trial, store / "killed"):
            lives.run_and_kill(trial, store / "killed", instants.randrange(1, EVENTS // 2))
    lives.whole(trial, store / "killed")
    assert curve(trial, store / "killed") == curve(trial, store / "whole")
    for name in ("whole", "killed"):
        assert not verify_store(store / name).findings
    assert not list((store / "killed").rglob("*.safetensors*"))


@pytest.mark.smoke
def test_a_killed_referees_trial_ends_as_if_nothing_had_happened(
    torch_lives: Lives, tmp_path: Path
) -> None:
    check_lives(torch_lives, tmp_path, kills=2, seed=1)


def test_the_same_in_jax(jax_lives: Lives, tmp_path: Path) -> None:
    check_lives(jax_lives, tmp_path, kills=1, seed=2)


def test_the_same_on_several_ranks_that_divide_their_state(
    torch_lives: Lives, tmp_path: Path
) -> None:
    check_lives(torch_lives, tmp_path, kills=1, seed=3, submission="muon", devices=2)


@pytest.mark.parametrize("who", ["worker", "both"])
def test_a_killed_workers_trial_has_crashed_and_is_not_run_again(
    torch_lives: Lives, tmp_path: Path, who: str
) -> None:
    trial = torch_lives.trial()
    torch_lives.run_and_kill(trial, tmp_path, 12, who)
    torch_lives.whole(trial, tmp_path)
    record = read_record(tmp_path / trial.folder / "trial.json")
    # with both dead at once the referee may not have seen its worker's end: it then goes on
    assert record.result is not None
    assert record.result.state in ({"crashed"} if who == "worker" else {"crashed", "budget"})
    assert not verify_store(tmp_path).findings


def test_a_worker_killed_before_it_has_resumed_ends_the_trial_at_the_checkpoint(
    torch_lives: Lives, tmp_path: Path
) -> None:
    trial = torch_lives.trial()
    torch_lives.run_and_kill(trial, tmp_path, 40)
    assert torch_lives.killed_after(trial, tmp_path, 0.0, "worker", is_worker_there=True)
    record = read_record(tmp_path / trial.folder / "trial.json")
    assert record.result is not None
    assert (record.result.state, record.result.steps > 0) == ("crashed", True)
    assert not verify_store(tmp_path).findings


INSTANTS = int(os.environ.get("KILL_INSTANTS", "100"))
SEED = os.environ.get("KILL_SEED", "0")
PART = 10
"""Instants of one test; the last has what is left."""
if INSTANTS < 1:
    raise pytest.UsageError(f"KILL_INSTANTS is {INSTANTS}; at least 1 instant is needed")


@dataclass(frozen=True)
class UndisturbedRun:
    """A life that nobody disturbs: its curve, its seconds without and with a worker."""

    curve: list[Point]
    before_s: float
    with_worker_s: float


@pytest.fixture(scope="session")
def undisturbed_run(torch_lives: Lives, tmp_path_factory: pytest.TempPathFactory) -> UndisturbedRun:
    store, trial = tmp_path_factory.mktemp("undisturbed") / "store", torch_lives.trial()
    start_s = time.monotonic()
    torch_lives.wait_for_worker(torch_lives.begin(trial, store))
    worker_s = time.monotonic()
    assert torch_lives.end() == 0
    return UndisturbedRun(curve(trial, store), worker_s - start_s, time.monotonic() - worker_s)


def kill_once(
    lives: Lives, trial: Trial, store: Path, random: Random, whole: UndisturbedRun
) -> str:
    """Kill a life at a random instant: who was killed and when, "" if it was over by then.

    Every third is killed before it has a worker, mostly in the first moments, in which plan,
    ledger and the first lines of the log are written.
    """
    if is_worker_there := random.randrange(3) > 0:
        who = random.choice(("referee", "worker", "both"))
        seconds = random.uniform(0.0, whole.with_worker_s)
    else:
        who, seconds = "referee", whole.before_s * random.random() ** 3
    if lives.killed_after(trial, store, seconds, who, is_worker_there=is_worker_there):
        return f"{who} {seconds:.3f} s after {'its worker' if is_worker_there else 'the start'}"
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(math.ceil(INSTANTS / PART)))
def test_at_any_instant_whoever_is_killed(
    torch_lives: Lives, tmp_path: Path, undisturbed_run: UndisturbedRun, part: int
) -> None:
    random, trial, number = Random(f"{SEED} {part}"), torch_lives.trial(), 0
    victims_by_run: dict[int, list[str]] = {0: []}
    for _ in range(min(PART, INSTANTS - PART * part)):
        store = tmp_path / str(number)
        if victim := kill_once(torch_lives, trial, store, random, undisturbed_run):
            victims_by_run[number].append(victim)
        if has_ended(trial, store):
            number += 1
            victims_by_run[number] = []
    for number, victims in victims_by_run.items():
        state = came_out_right(torch_lives, tmp_path / str(number), victims, undisturbed_run.curve)
        print(f"part {part}: {', '.join(victims) or 'nobody'}: {state}")


def test_killed_again_and_again_before_there_is_a_worker(
    torch_lives: Lives, tmp_path: Path, undisturbed_run: UndisturbedRun
) -> None:
    trial, store, victims = torch_lives.trial(), tmp_path / "store", []
    for part in range(4):
        seconds = undisturbed_run.before_s * (part / 4) ** 2
        torch_lives.killed_after(trial, store, seconds, "referee", is_worker_there=False)
        victims.append(f"referee {seconds:.3f} s")
    assert came_out_right(torch_lives, store, victims, undisturbed_run.curve) == "budget"


def came_out_right(lives: Lives, store: Path, victims: list[str], whole: list[Point]) -> str:
    """Let the trial go on to its end and check what there is; its state."""
    trial = lives.trial()
    log = store / trial.folder / "events.jsonl"
    before = log.read_bytes() if has_ended(trial, store) else None
    lives.whole(trial, store)
    record = read_record(log.with_name("trial.json"))
    assert record.result is not None
    assert before in (None, log.read_bytes())
    assert not verify_store(store).findings
    assert not list(store.rglob("*.safetensors*"))
    if record.result.state == "crashed":
        assert any(not victim.startswith("referee") for victim in victims)
        assert "SIGKILL" in record.result.reason
    else:
        assert (record.result.state, curve(trial, store)) == ("budget", whole)
    return record.result.state
