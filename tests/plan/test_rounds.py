"""Rounds: committed before, revealed after, checked by anyone."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.seeds import commitment
from harness.plan.plan import PlanRequest, plan
from harness.plan.redraw import mismatches
from harness.plan.rounds import draw_round, read_round, reveal_round, seed_of

REQUEST = PlanRequest(workload="mlp", submission="adamw")


def test_the_public_file_commits_and_does_not_tell(tmp_path: Path) -> None:
    public, secret = draw_round("r", tmp_path)
    secret_round = read_round(secret)
    assert read_round(public).seed is None
    assert (
        read_round(public).commitment
        == secret_round.commitment
        == commitment(secret_round.seed or "")
    )
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert seed_of(f"@{secret}") == secret_round.seed


def test_two_rounds_differ_and_one_is_drawn_once(tmp_path: Path) -> None:
    seeds = {seed_of(f"@{draw_round(name, tmp_path)[1]}") for name in ("a", "b")}
    assert len(seeds) == 2
    with pytest.raises(HarnessError, match="drawn once"):
        draw_round("a", tmp_path)


def test_a_revealed_seed_proves_the_trials_and_no_other_does(tmp_path: Path) -> None:
    public, secret = draw_round("r", tmp_path)
    trials = plan(replace(REQUEST, round_seed=seed_of(f"@{secret}"))).trials
    assert reveal_round(secret) == public
    seed = read_round(public).seed
    assert list(mismatches(trials, seed)) == []
    assert "not of this one" in next(mismatches(trials, "another seed"))[1]
    assert "not of this one" in next(mismatches(plan(REQUEST).trials, seed))[1]


def test_a_seed_that_does_not_fit_its_commitment_is_refused(tmp_path: Path) -> None:
    _, secret = draw_round("r", tmp_path)
    seed = seed_of(f"@{secret}")
    secret.write_text(secret.read_text().replace(seed, "0" * 64))
    with pytest.raises(HarnessError, match="does not match the commitment"):
        read_round(secret)


def test_another_rounds_public_file_voids_the_reveal(tmp_path: Path) -> None:
    _, secret = draw_round("r", tmp_path)
    other, _ = draw_round("r", tmp_path / "other")
    other.replace(tmp_path / "r.round.json")
    with pytest.raises(HarnessError, match="commits to a different seed"):
        reveal_round(secret)
