"""`space.toml`: what is accepted, what is refused and how, and the values of a dimension."""

from __future__ import annotations

import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import HarnessError
from harness.providers.registry import submission_folders
from harness.submission.space import Dimension, Space, parse_space, read_space

HEAD = 'summary = "s"\nfamily = "f"\nframeworks = ["torch"]\n'
SCALES: tuple[Literal["linear", "log", "one_minus_log"], ...] = ("linear", "log", "one_minus_log")
FRACTIONS = st.floats(0.0, 1.0, exclude_max=True)
POSITIVE = st.floats(1e-8, 1e3)


@st.composite
def ranges(draw: st.DrawFn) -> Dimension:
    scale = draw(st.sampled_from(SCALES))
    highest = 0.999999 if scale == "one_minus_log" else 1e3
    low = draw(st.floats(1e-8, highest * 0.5))
    high = draw(st.floats(low * 1.5, highest, exclude_min=True))
    return Dimension(min=low, max=high, scale=scale)


@given(ranges(), FRACTIONS)
def test_a_range_gives_values_inside_it(dimension: Dimension, fraction: float) -> None:
    value = dimension.value_at(fraction)
    assert isinstance(value, float)
    assert dimension.min is not None
    assert dimension.max is not None
    assert dimension.min <= value <= dimension.max


@given(ranges(), FRACTIONS, FRACTIONS)
def test_a_range_is_monotone(dimension: Dimension, one: float, other: float) -> None:
    low, high = sorted([one, other])
    first, second = dimension.value_at(low), dimension.value_at(high)
    assert isinstance(first, float)
    assert isinstance(second, float)
    assert first <= second


@given(st.integers(1, 50), st.integers(1, 50), FRACTIONS, st.sampled_from(["linear", "log"]))
def test_integers_stay_whole_and_inside(low: int, width: int, fraction: float, scale: str) -> None:
    fields = {"min": low, "max": low + width, "scale": scale, "type": "integer"}
    value = Dimension.model_validate(fields).value_at(fraction)
    assert isinstance(value, int)
    assert low <= value <= low + width


def test_integers_that_no_float_holds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"bounds between -2\*\*53 and 2\*\*53"):
        Dimension(min=-(2**53) - 1, max=0, type="integer")
    assert Dimension(min=1 - 2**53, max=0, type="integer").value_at(0.0) == 1 - 2**53


def test_integers_reach_both_ends() -> None:
    dimension = Dimension(min=2, max=5, type="integer")
    assert {dimension.value_at(fraction / 100) for fraction in range(100)} == {2, 3, 4, 5}


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.text(max_size=3), min_size=1),
    FRACTIONS,
)
def test_choices_give_one_of_them(choices: list[int | bool | str], fraction: float) -> None:
    assert Dimension(choices=tuple(choices)).value_at(fraction) in choices


def test_log_scale_has_its_geometric_middle() -> None:
    assert Dimension(min=1e-4, max=1e-2, scale="log").value_at(0.5) == pytest.approx(1e-3)
    middle = Dimension(min=0.9, max=0.999, scale="one_minus_log").value_at(0.5)
    assert middle == pytest.approx(1.0 - math.sqrt(0.1 * 0.001))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[default]\nx = 1.0\n[space.y]\nmin = 0.0\nmax = 1.0\n", ["space.y", "[default]", "x"]),
        ("[default]\nx = 1.0\n[space.x]\nmin = 2.0\nmax = 1.0\n", ["space.x", "below 'max'"]),
        ('[default]\nx = 1.0\n[space.x]\nmin = 0\nmax = 1\nscale = "log"\n', ["min > 0"]),
        ('[default]\nx = 1.0\n[space.x]\nmin = 0\nmax = 1\nscale = "lgo"\n', ["lgo", "log"]),
        ("[default]\nx = 1.0\n[space.x]\nmax = 1\n", ["'min' and 'max'"]),
        ("[default]\nx = 1.0\n[space.x]\nchoices = []\n", ["at least one"]),
        ("[default]\nx = 1.0\n[space.x]\nmin = 0\nmax = 1\nmoin = 2\n", ["space.x.moin"]),
        ("[default]\nx = nan\n", ["default", "finite"]),
        ("", ["'default' is missing"]),
        ("[default\n", ["not valid TOML", "line 4"]),
    ],
)
def test_a_malformed_space_names_file_key_and_what_is_allowed(text: str, words: list[str]) -> None:
    with pytest.raises(HarnessError) as error:
        parse_space(HEAD + text, "my/space.toml")
    for word in ["my/space.toml", *words]:
        assert word in str(error.value)


@pytest.mark.parametrize("name", submission_folders())
def test_every_shipped_space_reads(name: str) -> None:
    space = read_space(submission_folders()[name] / "space.toml")
    assert isinstance(space, Space)
    assert space.summary


@given(st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), POSITIVE))
def test_any_default_is_read_back(default: dict[str, float]) -> None:
    lines = "".join(f"{name} = {value!r}\n" for name, value in default.items())
    assert parse_space(f"{HEAD}[default]\n{lines}").default == default


@pytest.mark.parametrize("value", ["9" * 400, "-9223372036854775809", '"' + "x" * 201 + '"'])
def test_a_value_that_no_other_program_can_read_is_refused(value: str) -> None:
    with pytest.raises(HarnessError, match=r"key 'default\.a"):
        parse_space(f"{HEAD}[default]\na = {value}\n")


@pytest.mark.parametrize("name", ["$x_1$", "[red]a", "a\\u001b[2J", "x" * 65])
def test_a_name_of_other_characters_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match=r"hyperparameter '.*allowed: letters"):
        parse_space(f'{HEAD}[default]\n"{name}" = 1.0\n')
