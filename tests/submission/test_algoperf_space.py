"""AlgoPerf's search spaces in both of their forms."""

import json
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.plan.points import draw_points
from harness.submission.adjustment import adjust, searched_space
from harness.submission.algoperf.space import with_tuning_space
from harness.submission.resolution import resolve
from harness.submission.space import Space

BARE = Space(summary="one line", family="algoperf", frameworks=("torch",), default={})
FILE = Path("tuning_search_space.json")
POINTS = [{"learning_rate": 10.0**-n, "beta2": 0.9, "use_momentum": n > 2} for n in range(1, 6)]
SEED = "0123456789abcdef" * 2


def read_space(declaration: object) -> Space:
    return with_tuning_space(BARE, json.dumps(declaration).encode(), FILE)


def test_ranges_and_feasible_points_are_searched() -> None:
    space = read_space(
        {
            "learning_rate": {"min": 1e-4, "max": 1e-2, "scaling": "log"},
            "warmup_factor": {"min": 0.0, "max": 0.1, "scaling": "linear"},
            "label_smoothing": {"feasible_points": [0.1, 0.2]},
        }
    )
    assert space.space["learning_rate"].scale == "log"
    assert space.default["learning_rate"] == pytest.approx(1e-3)
    for point in draw_points(space, SEED, 8):
        assert 1e-4 <= float(point["learning_rate"]) <= 1e-2
        assert 0.0 <= float(point["warmup_factor"]) <= 0.1
        assert point["label_smoothing"] in (0.1, 0.2)


def test_a_single_feasible_point_is_set_and_not_searched() -> None:
    space = read_space({"beta2": {"feasible_points": [0.999]}, "eps": {"min": 1e-8, "max": 1e-8}})
    assert space.default == {"beta2": 0.999, "eps": 1e-8}
    assert not space.space


def test_a_study_takes_each_listed_point_once_in_an_order_of_its_own() -> None:
    space = read_space(POINTS)
    studies = [draw_points(space, seed * 2, 5) for seed in ("0123456789abcdef", "f" * 16)]
    for points in studies:
        assert sorted(points, key=lambda point: -float(point["learning_rate"])) == POINTS
    assert studies[0] != studies[1]


def test_a_longer_draw_of_listed_points_begins_with_the_shorter_and_goes_round() -> None:
    space = read_space(POINTS)
    points = draw_points(space, SEED, 7)
    assert points[:3] == draw_points(space, SEED, 3)
    assert points[5:] == points[:2]


def test_other_points_are_another_space_and_none_leave_the_hash_as_it_was() -> None:
    assert (
        read_space(POINTS).content_hash
        != read_space([POINTS[0], *reversed(POINTS[1:])]).content_hash
    )
    assert read_space(POINTS[:1]).model_copy(update={"points": ()}).content_hash == (
        Space.model_validate({**BARE.model_dump(), "default": POINTS[0]}).content_hash
    )


@pytest.mark.parametrize(
    ("declaration", "name"),
    [
        ([], "at least 1"),
        ([{"a": 1}, {"b": 1}], "a point has b"),
        ([{"a": [1, 2]}], "a"),
        ([{"a": None}], "a"),
        ({"a": {"min": 1.0, "max": 2.0, "scaling": "cubic"}}, "scaling"),
        ({"a": {"min": 0.0, "max": 2.0, "scaling": "log"}}, "min > 0"),
        ({"a": {"feasible_points": []}}, "feasible_points"),
        ({"a": {"values": [1]}}, "a"),
        ({"a b": {"feasible_points": [1]}}, "a b"),
        (3, ""),
    ],
)
def test_what_is_neither_form_is_refused_with_both(declaration: object, name: str) -> None:
    with pytest.raises(HarnessError) as error:
        read_space(declaration)
    assert str(FILE) in error.value.message
    assert name in error.value.message
    assert "feasible_points" in (error.value.hint or "")


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(HarnessError, match="not valid JSON"):
        with_tuning_space(BARE, b"learning_rate = 1", FILE)


def test_a_json_file_is_searched_in_place_of_any_submissions_space(tmp_path: Path) -> None:
    file = tmp_path / "space.json"
    file.write_text(json.dumps({"learning_rate": {"feasible_points": [0.1, 0.2]}}))
    space = searched_space(file, "adamw")
    assert space.space.keys() == {"learning_rate"}
    assert space.frameworks == resolve("adamw").space.frameworks


def test_what_is_set_is_set_in_every_listed_point() -> None:
    changed = adjust(resolve("adamw"), read_space(POINTS), {"beta2": 0.5})
    assert {point["beta2"] for point in changed.space.points} == {0.5}
    assert len({point["learning_rate"] for point in changed.space.points}) == 5
