"""Where a run stands among the entries of a board: neighbours, what is settled, what is refused."""

from __future__ import annotations

from pathlib import Path

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
from tests.scoring.made_frames import frame

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


def only(found: tuple[Place, ...]) -> Place:
    (place,) = found
    return place


def test_it_stands_between_its_neighbours_and_says_what_is_settled() -> None:
    lines = list(only(places(board(), own(28.0))).lines())
    assert lines[0] == "mine, in steps on mlp: between b and c"
    assert "  settled to be faster than c" in lines
    assert (
        "  settled to be slower than b, a" in lines or "  settled to be slower than a, b" in lines
    )


def test_a_screening_settles_nothing_and_says_what_would() -> None:
    lines = list(only(places(board(), own(28.0, studies_count=1))).lines())
    assert lines[0].endswith("between b and c")
    assert not any("settled to be" in line for line in lines)
    assert any("more studies would settle it" in line for line in lines)


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
    known = board()
    assert places(known, known[known["submission"].eq("a")]) == ()
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
    found = shipped.whole_studies(frame(times), ("mlp", "lm"))
    assert set(found["submission"]) == {"a"}
    assert set(found["study"]) == {1, 2}
    assert set(found["workload"]) == {"mlp", "lm"}
