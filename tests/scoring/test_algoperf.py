"""The published leaderboard of AlgoPerf v0.5 from its raw logs (`tests.scoring.published`)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scoring.evaluate import score_table
from scoring.logs import study_times
from scoring.rules import load_rules

from .published import DATA, expected_scores, needs_logs

RULESETS = {"v05_ext": "external_tuning", "v05_self": "self_tuning"}

pytestmark = [
    pytest.mark.system,  # unpacking and reading the logs takes most of it
    needs_logs,
]


@pytest.fixture(scope="module", params=list(RULESETS))
def ruleset(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def times(algoperf_logs: Path, ruleset: str) -> pd.DataFrame:
    return study_times(algoperf_logs / RULESETS[ruleset], load_rules("algoperf-v0.5"))


@pytest.fixture
def scores_of_reference(ruleset: str) -> dict[str, dict[str, float]]:
    return expected_scores(ruleset)


def test_raw_logs_give_the_published_and_the_full_precision_scores(
    times: pd.DataFrame, scores_of_reference: dict[str, dict[str, float]]
) -> None:
    board = score_table(times, load_rules("algoperf-v0.5"))
    scores = dict(zip(board.times.submissions, board.scores.tolist(), strict=True))
    assert {name: round(score, 4) for name, score in scores.items()} == scores_of_reference[
        "published"
    ]
    assert scores == pytest.approx(scores_of_reference["official"], abs=1e-12, rel=0)


def test_study_times_are_those_read_from_the_logs_by_others(
    times: pd.DataFrame, ruleset: str
) -> None:
    keys = ["submission", "workload", "study"]
    published = pd.read_csv(DATA / "v05_study_times.csv")
    published = published[published["dataset"] == ruleset]
    both = times.merge(published, on=keys, how="left", suffixes=("", "_known"), validate="1:1")
    assert both["dataset"].notna().all()
    for column in ("time_to_target_s", "step_at_target"):
        np.testing.assert_array_equal(both[column], both[f"{column}_known"])


def test_the_winner_is_first_in_about_three_quarters_of_resamples(
    times: pd.DataFrame, ruleset: str
) -> None:
    from scoring.uncertainty import assess

    board = score_table(times, load_rules("algoperf-v0.5"))
    sure = assess(board, "baseline", draws=1000)
    assert sure is not None
    first = sure.rank_fractions[board.order()[0], 0]
    assert 0.69 < first < 0.79 if ruleset == "v05_ext" else first > 0.75
