"""An entry is a name and its content: which contents are scored, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from scoring.entries import contents_by_name, select_contents
from scoring.evaluate import score_results, scored_trials
from scoring.report.page import render_page
from scoring.report.tables import entry_table

from .made_frames import curves, frame, row

OLD, NEW = {"content_hash": "1" * 64}, {"content_hash": "2" * 64}


def edited_frame(old_s: float = 5.0, new_s: float = 10.0, **of_new: object) -> pd.DataFrame:
    """`mine` before and after an edit, beside adamw; the edit ran later."""
    later = {"begun_at": "2026-02-01T00:00", "identity": "f" * 64} | NEW | of_new
    return pd.DataFrame(
        [
            row("mine", "mlp", 1, old_s, **OLD),
            row("mine", "mlp", 1, new_s, **later),
            row("adamw", "mlp", 1, 8.0),
        ]
    )


def test_the_latest_content_alone_is_scored_and_the_board_says_so() -> None:
    board = score_results(edited_frame())
    assert board.times.submissions == ("adamw", "mine")
    assert board.medians[1].tolist() == [10.0]
    (flag,) = board.flags
    assert flag.startswith("latest-content: mine has 2 contents; scored is the latest, 22222222 of")


def test_code_that_reaches_nothing_does_not_keep_its_predecessors_score() -> None:
    board = score_results(edited_frame(old_s=1.0, new_s=float("inf")))
    assert dict(zip(board.times.submissions, board.scores, strict=True))["mine"] == 0.0


def test_every_content_is_an_entry_of_its_own_if_that_is_allowed() -> None:
    board = score_results(edited_frame(), allowed_rules=["older-contents"])
    assert board.times.submissions == ("adamw", "mine@11111111", "mine@22222222")
    assert board.flags == ("older-contents: mine has 2 contents: mine@11111111, mine@22222222",)


def test_the_number_of_contents_tried_is_on_the_board_and_on_the_page() -> None:
    results = edited_frame()
    board = score_results(results)
    assert board.to_json()["contents"] == {"adamw": 1, "mine": 2}
    assert entry_table(board)["contents tried"].tolist() == ["1", "2"]
    trials = scored_trials(results)
    page = render_page(board, None, trials, curves(trials), Path("/results"))
    assert "contents tried" in page
    assert results["identity"].iloc[0] not in page


def test_without_an_edit_there_is_no_column_of_contents() -> None:
    board = score_results(frame({("muon", "mlp"): [10.0], ("adamw", "mlp"): [20.0]}))
    assert "contents tried" not in entry_table(board)


@pytest.mark.parametrize("content", [OLD, NEW])
def test_two_folders_of_one_name_are_refused(content: dict[str, str]) -> None:
    of_new: dict[str, object] = {"location": "/home/me/adamw", "trial": 2} | content
    results = edited_frame(5.0, 10.0, **of_new)
    with pytest.raises(
        HarnessError, match=r"mixed-locations.*mine lies in /home/me/adamw and in sub"
    ):
        score_results(results)


SIX = pd.DataFrame([row("mine", "mlp", 1, 10.0, begun_at=f"2026-01-0{n}") for n in range(1, 7)])


def test_a_refusal_says_which_content_it_is_about() -> None:
    results = pd.concat([edited_frame(), pd.DataFrame([row("adamw", "lm", 1, 8.0)])])
    results = pd.concat([results, pd.DataFrame([row("mine", "lm", 1, 9.0, **OLD)])])
    with pytest.raises(HarnessError, match=r"mine lacks 1 of lm(.|\n)*latest-content: mine has 2"):
        score_results(results)


@given(st.permutations(range(6)), st.integers(1, 6))
def test_selection_keeps_one_content_a_name_whatever_the_order(
    order: list[int], contents: int
) -> None:
    results = SIX.assign(content_hash=[str(n % contents) for n in range(6)]).iloc[order]
    selection = select_contents(results, ())
    assert set(selection["content_hash"]) == {str(5 % contents)}
    assert len(contents_by_name(results)["mine"]) == contents
    assert select_contents(selection, ()).equals(selection)
