"""Referee, worker or both are killed at random instants; nothing is lost, nothing hidden."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.record.store import read_record
from harness.record.verify import verify_store

from .conftest import Lives, curve, has_ended

EVENTS = 60
"""About as many as an undisturbed life writes."""


def lived(lives: Lives, store: Path, kills: int, seed: int) -> None:
    """A trial whose referee is killed again and again, until it has ended."""
    trial, instants = lives.trial(), random.Random(seed)
    lives.whole(trial, store / "whole")
    for _ in range(kills):
        if not has_ended(trial, store / "killed"):
            lives.killed(trial, store / "killed", instants.randrange(1, EVENTS // 2))
    lives.whole(trial, store / "killed")
    assert curve(trial, store / "killed") == curve(trial, store / "whole")
    for name in ("whole", "killed"):
        assert not verify_store(store / name).findings
    assert not list((store / "killed").rglob("*.safetensors*"))


def test_a_killed_referees_trial_ends_as_if_nothing_had_happened(
    torch_lives: Lives, tmp_path: Path
) -> None:
    lived(torch_lives, tmp_path, kills=4, seed=1)


def test_the_same_in_jax(jax_lives: Lives, tmp_path: Path) -> None:
    lived(jax_lives, tmp_path, kills=2, seed=2)


@pytest.mark.parametrize("who", ["worker", "both"])
def test_a_killed_workers_trial_has_crashed_and_is_not_run_again(
    torch_lives: Lives, tmp_path: Path, who: str
) -> None:
    trial = torch_lives.trial()
    torch_lives.killed(trial, tmp_path, 12, who)
    torch_lives.whole(trial, tmp_path)
    record = read_record(tmp_path / trial.folder / "trial.json")
    # with both dead at once the referee may not have seen its worker's end: it then goes on
    assert record.result is not None
    assert record.result.state in ({"crashed"} if who == "worker" else {"crashed", "budget"})
    assert not verify_store(tmp_path).findings


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_instants(torch_lives: Lives, tmp_path: Path, seed: int) -> None:
    lived(torch_lives, tmp_path, kills=10, seed=100 + seed)
