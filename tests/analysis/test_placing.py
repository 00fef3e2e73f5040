"""Where a run stands among the entries of a board: neighbours, what is settled, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import harness.analysis.reference_board as shipped
from harness.core.errors import HarnessError
from scoring.compare import compare_entries
from scoring.frame import prepare
from scoring.placing import Place, places
from scoring.rules import load_rules
from scoring.studies import times_of
from tests.scoring.made_frames import Row, frame, row

NOISE = (0.98, 1.0, 1.02)


def studies(time_s: float) -> list[float]:
    return [factor * time_s for factor in NOISE]


def board(**other: object) -> pd.DataFrame:
    """Three entries on one workload, each twice as slow as the one before."""
    times = {("a", "mlp"): studies(10.0), ("b", "mlp"): studies(20.0), ("c", "mlp"): studies(40.0)}
    return prepare(frame(times, **other))


def own(time_s: float, studies_count: int = 3, name: str = "mine") -> pd.DataFrame:
    values = {(name, "mlp"): studies(time_s)[:studies_count]}
    return prepare(frame(values).assign(content_hash="e" * 64, hardware="box-2"))


def only(places: tuple[Place, ...]) -> Place:
    (place,) = places
    return place


def test_it_stands_between_its_neighbours_and_says_what_is_settled() -> None:
    lines = list(only(places(board(), own(28.0))).lines())
    assert lines[0] == "mine, in steps on mlp: between b and c"
    assert "  settled to be faster than c" in lines
    assert (
        "  settled to be slower than b, a" in lines or "  settled to be slower than a, b" in lines
    )


def test_a_screening_settles_nothing_and_says_what_would() -> None:
    first, error, *rest = only(places(board(), own(28.0, studies_count=1))).lines()
    assert first.endswith("between b and c")
    assert error.startswith("  one study of each is compared, which settles nothing: a screening")
    assert not any("settled to be" in line for line in rest)
    assert [line.split(" of both ")[0] for line in rest] == [
        "  b: about 6 more studies", "  c: about 5 more studies",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("on_board", "words"),
    [
        (3, "  c: about 1 more study, which the board has, would settle it: "
            "harness run --suite quick --submission mine --workload mlp --studies 2"),
        (1, "  c: about 1 more study of both would settle it; this adds them, in seconds: "
            "harness run --suite quick --submission mine --workload mlp --until-settled c"),
    ],
)  # fmt: skip
def test_the_studies_of_a_board_decide_whose_are_missing(on_board: int, words: str) -> None:
    on_board_frame = board()[board()["study"] <= on_board]
    lines = list(only(places(on_board_frame, own(120.0, studies_count=1))).lines())
    assert lines[-1] == words


def test_a_board_on_which_nobody_ran_all_of_it_is_refused() -> None:
    mine = pd.concat([own(28.0), own(28.0).assign(workload="lm", column="lm")], ignore_index=True)
    parts = prepare(frame({("a", "mlp"): studies(10.0), ("b", "lm"): studies(20.0)}))
    with pytest.raises(HarnessError, match="no entry of the board ran on all of lm, mlp"):
        places(parts, mine)


def test_an_entry_that_lacks_one_of_the_workloads_is_no_neighbour() -> None:
    also = prepare(frame({("a", "lm"): studies(10.0), ("b", "lm"): studies(20.0)}))
    mine = pd.concat([own(28.0), own(28.0).assign(workload="lm", column="lm")], ignore_index=True)
    place = only(places(pd.concat([board(), also], ignore_index=True), mine))
    assert set(place.comparisons) == {"a", "b"}
    assert set(place.workloads) == {"lm", "mlp"}


@pytest.mark.parametrize(
    ("time_s", "words"), [(5.0, "ahead of a, the first of 3"), (np.inf, "behind c, the last of 3")]
)
def test_the_ends_of_a_board_have_one_neighbour(time_s: float, words: str) -> None:
    assert next(only(places(board(), own(time_s))).lines()).endswith(words)


def test_its_comparisons_are_those_of_harness_compare() -> None:
    place = only(places(board(), own(28.0)))
    joined = pd.concat([board(), own(28.0)], ignore_index=True)
    times = times_of(joined, place.clock)
    expected = compare_entries(times, "mine", "c", load_rules())
    assert place.comparisons["c"].factor.overall == expected.factor.overall


def test_a_content_that_the_board_has_is_not_placed_and_a_name_is_told_apart() -> None:
    on_board_frame = board()
    assert places(on_board_frame, on_board_frame[on_board_frame["submission"].eq("a")]) == ()
    assert only(places(board(), own(28.0, name="a"))).entry == "a (this run)"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workload_hash": "b" * 64}, "another version of mlp"),
        ({"round": "d" * 64}, "round is"),
        ({"workload": "lm", "column": "lm"}, "the board has none of lm"),
    ],
)
def test_other_instances_are_refused(change: dict[str, str], words: str) -> None:
    with pytest.raises(HarnessError, match=words):
        places(board(), own(28.0).assign(**change))


def test_seconds_of_another_machine_are_refused() -> None:
    with pytest.raises(HarnessError, match="hardware is box-2 here, box-1 on the board"):
        places(board(), own(28.0), "seconds")


def timed_row(name: str, study: int, begin: int, **other: Any) -> Row:
    """A trial of 1000 steps that began at a minute of the hour."""
    at = {"begun_at": f"2026-01-01T00:{begin:02}", "ended_at": f"2026-01-01T00:{begin + 1:02}"}
    return row(name, "mlp", study, **{"time_s": 10.0, "timed_s": 20.0, "steps": 1000} | at | other)


def elsewhere() -> pd.DataFrame:
    """`mine` on a machine that is half as fast: its first study between two trials of adamw."""
    slow = {"hardware": "box-2", "timed_s": 40.0, "time_s": 28.0}
    rows = [timed_row("adamw", 1, 0, **slow), timed_row("mine", 1, 10, **slow)]
    return prepare(pd.DataFrame([*rows, timed_row("adamw", 1, 20, trial=2, **slow)]))


def reference_board() -> pd.DataFrame:
    """One study of each; in seconds `mine` lies between a and b, in steps behind both."""
    rows = [timed_row("adamw", 1, 0, time_s=18.0), timed_row("a", 1, 5, time_s=12.0)]
    return prepare(pd.DataFrame([*rows, timed_row("b", 1, 8, time_s=16.0)]))


def test_seconds_come_from_the_reference_that_ran_before_and_after() -> None:
    place = only(shipped.places_of(elsewhere(), reference_board(), "seconds"))
    assert next(place.lines()) == "mine, in seconds on mlp: between a and b"
    assert only(shipped.places_of(elsewhere(), reference_board())).slower == []


@pytest.mark.parametrize("clock", ["steps", "seconds"])
def test_a_reference_that_neither_has_is_refused_by_name(clock: str) -> None:
    with pytest.raises(HarnessError, match="unknown reference 'adamv'; did you mean 'adamw'"):
        shipped.places_of(elsewhere(), reference_board(), clock, "adamv")


def test_a_study_that_the_board_lacks_needs_no_reference() -> None:
    later = prepare(pd.DataFrame([timed_row("mine", 2, 40, hardware="box-2")]))
    run = pd.concat([elsewhere(), later], ignore_index=True)
    assert only(shipped.places_of(run, reference_board(), "seconds")).faster == ["a"]


def test_seconds_without_the_reference_before_and_after_name_the_flag_that_runs_it() -> None:
    run = elsewhere().query("submission == 'mine' or trial == 1")
    with pytest.raises(HarnessError, match=r"(?s)not run between two trials.*--with-reference"):
        shipped.places_of(run, reference_board(), "seconds")


def test_a_board_that_is_written_is_read_back_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = board()
    shipped.write_board(written, tmp_path / shipped.board_name("quick", "torch"))
    monkeypatch.setattr(shipped, "files", lambda _: tmp_path)
    read = shipped.shipped_board("quick", "torch")
    assert read is not None
    assert read["time_to_target_s"].tolist() == written["time_to_target_s"].tolist()
    assert only(shipped.places_of(own(28.0), None)).faster[-1] == "b"
    assert shipped.shipped_board("quick", "jax") is None


def test_a_board_has_the_studies_that_ended_on_every_workload() -> None:
    times = {("a", "mlp"): studies(10.0), ("a", "lm"): [10.0, 20.0], ("b", "mlp"): studies(20.0)}
    result = shipped.whole_studies(frame(times), ("mlp", "lm"))
    assert set(result["submission"]) == {"a"}
    assert set(result["study"]) == {1, 2}
    assert set(result["workload"]) == {"mlp", "lm"}


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("scored", False, "unscored-trials"),
        ("state", "unfinished", "unfinished-trials"),
        ("trial", 2, "unequal-trials"),
    ],
)
def test_a_run_of_other_effort_is_not_placed(column: str, value: str | int, rule: str) -> None:
    mine = own(28.0)
    again = mine[mine["study"].eq(1)].assign(identity="f" * 64, record="/again", trial=2)
    again[column] = value
    with pytest.raises(HarnessError, match=rule):
        places(board(), pd.concat([mine, again], ignore_index=True))


def test_the_command_for_more_studies_adds_to_the_runs_own_folder() -> None:
    (line, *_) = [
        text
        for text in only(places(board(), own(28.0, studies_count=1), store=Path("my runs"))).lines()
        if "harness run" in text
    ]
    assert " --out 'my runs' --" in line


def test_a_place_says_how_many_targets_were_reached_and_what_the_misses_hide() -> None:
    misses = {"a": (10.0, 10.0), "b": (20.0, np.inf), "mine": (np.inf, 12.0)}
    trials = prepare(
        frame(
            {
                (n, w): studies(t)
                for n, ts in misses.items()
                for w, t in zip(("lm", "mlp"), ts, strict=True)
            }
        )
    )
    is_own = trials["submission"].eq("mine")
    place = only(places(trials[~is_own], trials[is_own].assign(content_hash="e" * 64), "seconds"))
    first, reached, guess, *_ = place.lines()
    assert first == "mine, in seconds on lm, mlp: between a and b"
    assert reached == "  it reached 1 of 2 targets, a 2, b 1"
    assert guess.startswith("  the place beside b is a guess")


def test_where_all_targets_were_reached_a_place_says_nothing_of_misses() -> None:
    assert not [line for line in only(places(board(), own(28.0))).lines() if "targets" in line]
