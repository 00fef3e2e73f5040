"""Studies of two submissions, added in turn until it is settled which is faster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError, UnknownNameError
from harness.plan.plan import Plan, PlanRequest, plan
from harness.record.imported import PublishedEvaluation, write_imported
from harness.record.store import record_paths
from harness.runs.until_settled import Pair, find_rival, most_studies, run_until_settled
from tests.kit import write_submission

Run = Callable[[Plan], None]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return pair_of(tmp_path, "mine", "theirs")


def pair_of(tmp_path: Path, mine: str, theirs: str, studies: int = 8) -> Pair:
    def plans_in(folder: Path) -> tuple[Plan, ...]:
        request = PlanRequest("mlp", str(write_submission(folder)), studies=studies, trials=1)
        return (plan(request),)

    return Pair(plans_in(tmp_path / mine), plans_in(tmp_path / "other" / theirs))


def runner(store: Path, seconds: Callable[[str, int], float], ran: list[str]) -> Run:
    """Writes records of trials that reach the target after so many seconds by name and study."""

    def run(part: Plan) -> None:
        for trial in part.trials:
            name = trial.submission.name
            ran.append(f"{name} {trial.study}")
            hit = PublishedEvaluation(100.0, seconds(name, trial.study), trial.target.value)
            write_imported(store, trial, [hit], "a test")

    return run


def noisy(ratio: float) -> Callable[[str, int], float]:
    """Seconds of `mine`, and `ratio` times as many of `theirs`, with noise of 5 %."""

    def seconds(name: str, study: int) -> float:
        noise = np.random.default_rng([study, len(name)]).normal(scale=0.05)
        return float(4.0 * np.exp(noise) * (ratio if name == "theirs" else 1.0))

    return seconds


def test_a_clear_pair_is_settled_before_the_last_study(pair: Pair, tmp_path: Path) -> None:
    ran: list[str] = []
    looks = list(run_until_settled(pair, tmp_path / "s", runner(tmp_path / "s", noisy(1.8), ran)))
    assert looks[-1].test.is_settled
    assert not any(look.test.is_settled for look in looks[:-1])
    assert looks[-1].test.factor == pytest.approx(1.8, rel=0.1)
    assert len(ran) == 2 * looks[-1].test.studies < 2 * pair.most


def test_the_two_run_in_turn_so_that_drift_favours_neither(pair: Pair, tmp_path: Path) -> None:
    ran: list[str] = []
    list(run_until_settled(pair, tmp_path / "s", runner(tmp_path / "s", noisy(1.0), ran)))
    assert ran[:6] == ["mine 1", "theirs 1", "theirs 2", "mine 2", "mine 3", "theirs 3"]


def test_an_equal_pair_ends_unsettled_after_the_last_study(pair: Pair, tmp_path: Path) -> None:
    ran: list[str] = []
    looks = list(run_until_settled(pair, tmp_path / "s", runner(tmp_path / "s", noisy(1.0), ran)))
    assert not looks[-1].test.is_settled
    assert len(ran) == 2 * pair.most


def test_what_else_lies_in_the_store_does_not_count(pair: Pair, tmp_path: Path) -> None:
    store, ran = tmp_path / "s", list[str]()
    old = pair_of(tmp_path / "old", "third", "fourth")
    for study in range(1, 5):
        for part in old.study(study):
            runner(store, noisy(9.0), ran)(part)
    *_, last = run_until_settled(pair, store, runner(store, noisy(1.8), ran))
    assert last.test.factor == pytest.approx(1.8, rel=0.1)


def test_two_that_do_not_belong_on_one_board_are_refused_after_the_first_study(
    tmp_path: Path,
) -> None:
    mine, other = (pair_of(tmp_path / part, "mine", "theirs") for part in ("one", "two"))
    pair, ran = Pair(mine.mine, _in_another_round(other.theirs)), list[str]()
    with pytest.raises(HarnessError, match=r"mixed-rounds(.|\n)*run both with the same settings"):
        list(run_until_settled(pair, tmp_path / "s", runner(tmp_path / "s", noisy(1.8), ran)))
    assert ran == ["mine 1", "theirs 1"]


def _in_another_round(plans: tuple[Plan, ...]) -> tuple[Plan, ...]:
    return tuple(
        replace(
            part,
            trials=tuple(t.model_copy(update={"round_commitment": "e" * 64}) for t in part.trials),
        )
        for part in plans
    )


def test_one_name_for_both_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="both submissions are called 'mine'"):
        pair_of(tmp_path, "mine", "mine")


def test_one_study_settles_nothing() -> None:
    with pytest.raises(HarnessError, match="one study says nothing about the noise"):
        most_studies(1)


def test_a_rival_is_found_by_the_name_of_its_trials(pair: Pair, tmp_path: Path) -> None:
    store = tmp_path / "s"
    for part in pair.study(1):
        runner(store, noisy(1.0), [])(part)
    assert len(record_paths(store)) == 2
    assert find_rival("adamw", store) == "adamw"
    assert Path(find_rival("theirs", store)) == tmp_path / "other" / "theirs"
    with pytest.raises(UnknownNameError, match="'nobody'"):
        find_rival("nobody", store)
