"""Points: inside the space, the same in every process, different in every study."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plan.points import draw_points, study_seed
from harness.submission.space import Space, parse_space

SPACE = parse_space("""
summary = "s"
family = "f"
frameworks = ["torch"]
[default]
learning_rate = 1e-3
beta = 0.9
kind = "a"
fixed = true
[space.learning_rate]
min = 1e-4
max = 1e-2
scale = "log"
[space.beta]
min = 0.8
max = 0.99
scale = "one_minus_log"
[space.kind]
choices = ["a", "b", "c"]
""")
SEEDS = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(SEEDS, st.integers(1, 40))
def test_points_lie_in_the_space(seed: str, count: int) -> None:
    points = draw_points(SPACE, seed, count)
    assert len(points) == count
    for point in points:
        assert set(point) == set(SPACE.default)
        assert point["fixed"] is True
        assert 1e-4 <= float(point["learning_rate"]) <= 1e-2
        assert point["kind"] in ("a", "b", "c")


@given(SEEDS, st.integers(1, 20), st.integers(1, 20))
def test_a_longer_draw_begins_with_the_shorter(seed: str, one: int, other: int) -> None:
    few, many = sorted([one, other])
    assert draw_points(SPACE, seed, many)[:few] == draw_points(SPACE, seed, few)


def test_studies_and_spaces_and_rounds_get_different_points() -> None:
    seeds = [study_seed(r, "quick", "mlp", s) for r in ("round", "other") for s in range(1, 6)]
    points = {json.dumps(draw_points(SPACE, seed, 3)) for seed in seeds}
    assert len(points) == len(seeds)
    wider = SPACE.model_copy(update={"default": SPACE.default | {"more": 1}})
    (point, *_), (other, *_) = draw_points(SPACE, seeds[0], 1), draw_points(wider, seeds[0], 1)
    assert point["learning_rate"] != other["learning_rate"]


def test_prose_does_not_move_the_points() -> None:
    renamed = SPACE.model_copy(update={"summary": "other words", "family": "g"})
    assert draw_points(renamed, "0" * 32, 4) == draw_points(SPACE, "0" * 32, 4)


@pytest.mark.system
def test_points_are_the_same_in_every_process() -> None:
    code = (
        "import sys, json; from harness.plan.points import draw_points; "
        "from harness.submission.space import Space; "
        "print(json.dumps(draw_points(Space.model_validate_json(sys.argv[1]), 'ab' * 16, 5)))"
    )
    command = [sys.executable, "-c", code, SPACE.model_dump_json()]
    texts = {
        subprocess.run(
            command,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert texts == {json.dumps(draw_points(SPACE, "ab" * 16, 5)) + "\n"}


def test_points_spread_over_the_space() -> None:
    halves = [float(p["learning_rate"]) < 1e-3 for p in draw_points(SPACE, "cd" * 16, 16)]
    assert sum(halves) == 8


def test_nothing_searched_gives_the_default() -> None:
    bare = Space(summary="s", family="f", frameworks=("torch",), default={"x": 1.0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert draw_points(bare, "0" * 32, 3) == ({"x": 1.0},) * 3
