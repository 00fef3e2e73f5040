"""What is held, withdrawn or disqualified is shown, with its times, and not ranked."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from harness.core.errors import HarnessError
from harness.core.marks import MARKS, MEANINGS
from scoring.evaluate import score_results, scored_trials
from scoring.report.page import render_page
from scoring.report.tables import entry_table, workload_table
from scoring.scoreboard import Scoreboard

from .made_frames import curves, frame


def results(mark: str, reason: str = "too good") -> pd.DataFrame:
    """Two entries, and a third, faster, that has a mark."""
    times = {("a", "w"): [10.0, 11.0], ("b", "w"): [20.0, 22.0], ("fast", "w"): [5.0, 6.0]}
    results_frame = frame(times)
    ours = results_frame["submission"].eq("fast")
    results_frame.loc[ours, ["mark", "mark_reason"]] = [mark, reason]
    return results_frame


def ratios(board: Scoreboard) -> dict[str, float]:
    return dict(zip(board.times.submissions, board.ratios[:, 0], strict=True))


@pytest.mark.parametrize("mark", ["held", "withdrawn", "disqualified"])
def test_an_entry_that_is_not_ranked_moves_no_other(mark: str) -> None:
    board = score_results(results(mark))
    assert ratios(board) == pytest.approx({"a": 1.0, "b": 2.0})
    assert f"{mark}: fast is not ranked: too good" in board.flags
    (line,) = board.unranked_entries.to_dict("records")
    assert (line["submission"], line["time_to_target_s"], line["studies"]) == ("fast", 5.5, 2)


@pytest.mark.parametrize("mark", ["self-reported", "verified", "audited"])
def test_every_other_mark_is_ranked_and_shown(mark: str) -> None:
    board = score_results(results(mark))
    assert ratios(board)["fast"] == 1.0
    assert board.unranked_entries.empty
    assert entry_table(board)["mark"].tolist() == [mark, "self-reported", "self-reported"]


def test_what_is_held_is_ranked_by_request_and_flagged() -> None:
    board = score_results(results("held"), allowed_rules=("held-entries",))
    assert ratios(board)["b"] == pytest.approx(21.0 / 5.5)
    assert "held-entries: fast is held and ranked all the same: too good" in board.flags


def test_a_request_ranks_nothing_that_is_disqualified() -> None:
    board = score_results(results("disqualified"), allowed_rules=("held-entries",))
    assert set(board.times.submissions) == {"a", "b"}


def test_where_nothing_is_ranked_the_reasons_are_said() -> None:
    only = results("held").query("submission == 'fast'")
    with pytest.raises(HarnessError, match="held: fast is not ranked: too good") as error:
        score_results(only)
    assert "harness audit" in error.value.hint


def test_set_up_and_warm_up_stand_beside_each_time() -> None:
    results_frame = frame({("a", "w"): [10.0, 12.0]})
    results_frame["setup_s"], results_frame["warm_up_s"] = [1.0, 3.0], [0.5, 0.7]
    (line,) = workload_table(score_results(results_frame), scored_trials(results_frame)).to_dict(
        "records"
    )
    assert (line["setup_s"], line["warm_up_s"]) == (2.0, pytest.approx(0.6))


def test_a_report_shows_what_is_not_ranked_and_why() -> None:
    results_frame = results("held", "<b>beyond</b>")
    board = score_results(results_frame)
    page = render_page(board, None, scored_trials(results_frame), curves(results_frame), Path())
    assert "<h2>Not ranked</h2>" in page
    assert "&lt;b&gt;beyond&lt;/b&gt;" in page
    assert "off the clock, s" in page


def test_every_mark_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(MARKS)
