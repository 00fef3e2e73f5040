"""Schedules: their closed forms and what holds for every share."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from given_problem import default_point
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError, UnknownNameError
from submissions import schedules

SHARE = st.floats(0.0, 1.0)
WARMUP = st.floats(0.0, 0.5)
FINAL = st.floats(0.0, 1.0)
NAME = st.sampled_from(schedules.NAMES)


def made(name: str, warmup: float, final: float) -> schedules.Schedule:
    point = {"schedule": name, "warmup": warmup, "final_factor": final, "cooldown": 0.4}
    return schedules.from_hyperparameters(point)


@given(NAME, SHARE, WARMUP, FINAL)
def test_factors_lie_between_zero_and_one(n: str, x: float, w: float, f: float) -> None:
    assert 0.0 <= made(n, w, f)(x) <= 1.0 + 1e-12


@given(NAME, WARMUP, FINAL)
def test_the_ends_are_one_after_warmup_and_the_final_factor(n: str, w: float, f: float) -> None:
    schedule = made(n, w, f)
    assert schedule(w) == pytest.approx(1.0)
    assert schedule(1.0) == pytest.approx(1.0 if n == "constant" else f, abs=1e-12)


@given(NAME, st.floats(0.01, 0.5), SHARE)
def test_warmup_is_linear(n: str, w: float, x: float) -> None:
    assert made(n, w, 0.0)(x * w * 0.999) == pytest.approx(x * 0.999)


@given(NAME, WARMUP, FINAL)
def test_after_warmup_factors_never_rise(n: str, w: float, f: float) -> None:
    schedule = made(n, w, f)
    factors = [schedule(w + (1.0 - w) * i / 50) for i in range(51)]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(factors))


@given(SHARE)
def test_closed_forms(x: float) -> None:
    assert schedules.linear()(x) == pytest.approx(1.0 - x)
    assert schedules.cosine()(x) == pytest.approx(math.cos(math.pi * x / 2) ** 2, abs=1e-12)
    stable = schedules.warmup_stable_decay(cooldown=0.25)(x)
    assert stable == pytest.approx(min(1.0, 4.0 * (1.0 - x)))


def test_an_unknown_name_says_which_is_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'cosine'"):
        schedules.from_hyperparameters(default_point("adamw", schedule="cosin"))


@pytest.mark.parametrize("warmup", [-0.1, 1.0])
def test_a_warmup_that_is_no_share_is_refused(warmup: float) -> None:
    with pytest.raises(HarnessError, match="warmup is"):
        schedules.cosine(warmup)


def test_warmup_and_cooldown_must_not_overlap() -> None:
    with pytest.raises(HarnessError, match=r"cooldown is 0\.9"):
        schedules.warmup_stable_decay(warmup=0.2, cooldown=0.9)
