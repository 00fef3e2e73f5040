"""Schedules: their closed forms and what holds for every fraction."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import HarnessError, UnknownNameError
from harness.providers.registry import submission_folders
from harness.submission.interface import Schedule
from harness.submission.step_rules import SplitSchedule
from submissions.common import schedules
from submissions.common.composed_schedules import SpikeSchedule
from submissions.common.optimizers import State
from submissions.common.refinement import refine_schedule
from tests.frameworks.kit import Kit

from .given_problem import Point, default_point, torch_problem, torch_steps

FRACTION = st.floats(0.0, 1.0)
WARMUP = st.floats(0.0, 0.5)
FINAL = st.floats(1e-4, 1.0)
POWER = {"schedule": "warmup_stable_decay", "cooldown": 0.3, "cooldown_shape": "power_law"}
NAME = st.sampled_from(schedules.NAMES)
FALLING = st.sampled_from([n for n in schedules.NAMES if n not in ("constant", "refined")])
SHAPE = st.sampled_from(schedules.SHAPES)


def schedule_of(name: str, warmup: float, final: float, shape: str = "linear") -> Schedule:
    point = {"schedule": name, "warmup": warmup, "final_factor": final, "cooldown": 0.4}
    point |= {"gradient_norms": "3 2 1 1 1.5", "cooldown_shape": shape}
    return schedules.from_hyperparameters(point)


@given(NAME, FRACTION, WARMUP, FINAL, SHAPE)
def test_factors_lie_between_zero_and_one(n: str, x: float, w: float, f: float, s: str) -> None:
    assert 0.0 <= schedule_of(n, w, f, s)(x) <= 1.0 + 1e-12


@given(FALLING, WARMUP, FINAL, SHAPE)
def test_the_ends_are_one_after_warmup_and_the_final_factor(
    n: str, w: float, f: float, s: str
) -> None:
    schedule = schedule_of(n, w, f, s)
    assert schedule(w) == pytest.approx(1.0)
    assert schedule(1.0) == pytest.approx(f, abs=1e-12)


@given(st.sampled_from(("constant", "linear", "cosine")), st.floats(0.01, 0.5), FRACTION)
def test_warmup_is_linear(n: str, w: float, x: float) -> None:
    assert schedule_of(n, w, 0.0)(x * w * 0.999) == pytest.approx(x * 0.999)


@given(FALLING, WARMUP, FINAL, SHAPE)
def test_after_warmup_factors_never_rise(n: str, w: float, f: float, s: str) -> None:
    schedule = schedule_of(n, w, f, s)
    factors = [schedule(w + (1.0 - w) * i / 50) for i in range(51)]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(factors))


@given(st.floats(0.61, 0.999))
def test_cooldowns_are_ordered_between_linear_and_the_root(x: float) -> None:
    factors = [
        schedule_of("warmup_stable_decay", 0.0, 0.0, s)(x) for s in ("linear", "power_0.7", "sqrt")
    ]
    assert factors[0] > factors[1] > factors[2]


def test_the_lowered_linear_cooldown_drops_at_once() -> None:
    schedule = schedule_of("warmup_stable_decay", 0.0, 0.0, "lowered_linear")
    assert schedule(0.6 - 1e-9) == 1.0
    assert schedule(0.8) == pytest.approx(0.35)
    ends_at_a_tenth = schedule_of("warmup_stable_decay", 0.0, 0.1, "lowered_linear")
    assert ends_at_a_tenth(0.6) == pytest.approx(0.7)
    assert ends_at_a_tenth(1.0) == pytest.approx(0.1)


@given(FRACTION)
def test_closed_forms(x: float) -> None:
    assert schedules.linear()(x) == pytest.approx(1.0 - x)
    assert schedules.cosine()(x) == pytest.approx(math.cos(math.pi * x / 2) ** 2, abs=1e-12)
    stable = schedules.warmup_stable_decay(cooldown=0.25)(x)
    assert stable == pytest.approx(min(1.0, 4.0 * (1.0 - x)))


@given(st.floats(0.6, 1.0), st.floats(0.5, 3.0))
def test_the_power_law_is_flat_and_then_the_power_of_what_is_left(x: float, p: float) -> None:
    """As PowerCool, min(1, c (T - t)^p), with the cooldown beginning where the two meet."""
    point = {"schedule": "warmup_stable_decay", "warmup": 0.0, "final_factor": 0.0, "cooldown": 0.4}
    schedule = schedules.from_hyperparameters(
        {**point, "cooldown_shape": "power_law", "cooldown_power": p}
    )
    assert schedule(x - 0.4) == pytest.approx(min(1.0, (1.4 - x) ** p / 0.4**p))
    assert schedule(x) == pytest.approx((1.0 - x) ** p / 0.4**p, abs=1e-9)


def test_the_rest_has_a_cooldown_of_its_own() -> None:
    point = {"schedule": "warmup_stable_decay", "warmup": 0.1, "final_factor": 0.1}
    parted = schedules.from_hyperparameters({**point, "cooldown": 0.8, "rest_cooldown": 0.4})
    assert isinstance(parted, SplitSchedule)
    for cooldown, ours in ((0.8, parted), (0.4, parted.rest)):
        alone = schedules.from_hyperparameters({**point, "cooldown": cooldown})
        assert [ours(i / 20) for i in range(21)] == [alone(i / 20) for i in range(21)]


def test_an_unknown_name_says_which_is_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'cosine'"):
        schedules.from_hyperparameters(default_point("adamw", schedule="cosin"))


@pytest.mark.parametrize("warmup", [-0.1, 1.0])
def test_a_warmup_that_is_no_fraction_is_refused(warmup: float) -> None:
    with pytest.raises(HarnessError, match="warmup is"):
        schedules.cosine(warmup)


def test_warmup_and_cooldown_must_not_overlap() -> None:
    with pytest.raises(HarnessError, match=r"cooldown is 0\.9"):
        schedules.warmup_stable_decay(warmup=0.2, cooldown=0.9)


T = torch.optim.lr_scheduler
Build = Callable[[torch.optim.Optimizer], T.LRScheduler]


def torch_rates(build: Build, steps: int) -> list[float]:
    """What a scheduler of torch's makes of a rate of 1, step by step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = build(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


ORACLES: dict[str, tuple[Build, Schedule]] = {
    "step": (lambda o: T.StepLR(o, 25, 0.1), schedules.step(drops=3, final_factor=1e-3)),
    "exponential": (
        lambda o: T.ExponentialLR(o, 0.01**0.01),
        schedules.exponential(final_factor=0.01),
    ),
    "cosine": (lambda o: T.CosineAnnealingLR(o, 100), schedules.cosine()),
    "linear": (lambda o: T.LinearLR(o, 1.0, 0.0, 100), schedules.linear()),
}


@pytest.mark.parametrize("name", ORACLES)
def test_agrees_with_torch(name: str) -> None:
    build, ours = ORACLES[name]
    actual = [ours(step / 100) for step in range(100)]
    np.testing.assert_allclose(actual, torch_rates(build, 100), rtol=1e-6)


def test_one_cycle_agrees_with_torch() -> None:
    # Torch's peak is at step 0.3 * 101 - 1, of the last step 100.
    ours = schedules.one_cycle(warmup=29.3 / 100)
    theirs = torch_rates(
        lambda o: T.OneCycleLR(o, 1.0, total_steps=101, cycle_momentum=False), 101 - 1
    )
    np.testing.assert_allclose([ours(step / 100) for step in range(100)], theirs, rtol=1e-6)


@given(st.lists(st.floats(0.1, 10.0), min_size=2, max_size=40), st.sampled_from([1.0, 2.0]))
def test_refinement_agrees_with_its_algorithm(norms: list[float], power: float) -> None:
    factors = [
        refine_schedule(norms, power, smoothing=0.0)(i / (len(norms) - 1))
        for i in range(len(norms))
    ]
    weights = np.array(norms) ** -power
    expected = np.array([w * weights[t + 1 :].sum() for t, w in enumerate(weights)])
    np.testing.assert_allclose(factors, expected / expected.max(), atol=1e-9)


def test_refinement_of_constant_norms_is_linear_decay() -> None:
    schedule = refine_schedule([2.0] * 51)
    assert [schedule(x) for x in (0.0, 0.25, 1.0)] == pytest.approx([1.0, 0.75, 0.0])


def test_refinement_warms_up_where_norms_are_large_and_ignores_outliers() -> None:
    norms = [4.0 - 3.0 * min(i / 20, 1.0) for i in range(100)]
    schedule = refine_schedule(norms)
    assert schedule(0.0) < 0.2 * schedule(0.2)
    with_outlier = [*norms[:60], 50.0, *norms[61:]]
    assert refine_schedule(with_outlier)(0.6) == pytest.approx(schedule(0.6))


@pytest.mark.parametrize("text", ["1.0", "1 nan", "1 -2", "1 two", None])
def test_norms_that_cannot_be_used_are_refused(text: str | None) -> None:
    given_norms = {} if text is None else {"gradient_norms": text}
    with pytest.raises(HarnessError, match=r"gradient.norms"):
        schedules.from_hyperparameters({"schedule": "refined", "warmup": 0.0, **given_norms})


def test_spikes_follow_the_refreshes_and_go_on_after_loading() -> None:
    point = default_point("soap", spike_factor=10.0, refresh_every=3, schedule="constant")
    point["spike_phase"] = 1
    schedule = schedules.from_hyperparameters(point)
    assert [schedule(0.5) for _ in range(5)] == [1.0, 10.0, 1.0, 1.0, 10.0]
    resumed = schedules.from_hyperparameters(point)
    assert isinstance(schedule, SpikeSchedule)
    assert isinstance(resumed, SpikeSchedule)
    resumed.load_state_dict(schedule.state_dict())
    assert [resumed(0.5) for _ in range(3)] == [1.0, 1.0, 10.0]


FIRST_FACTORS: dict[str, tuple[Callable[[State], torch.Tensor | None], int, Point]] = {
    "soap": (lambda state: state["left_basis"], 1, {}),
    "splus": (lambda state: state["left_basis"], 1, {}),
    "eshampoo": (lambda state: state["left_basis"], 0, {}),
    "shampoo": (lambda state: state["blocks"][0].get("left_root"), 0, {"start": 3}),
}
"""By method: its first factor, and how many steps after a refresh that factor is first used."""


@pytest.mark.parametrize("name", FIRST_FACTORS)
def test_a_spiked_step_is_the_first_with_a_fresh_first_factor(name: str) -> None:
    factor, lag, changes = FIRST_FACTORS[name]
    problem, spiked, refreshed, before = torch_problem(), [], [], None
    point = default_point(name, **changes, spike_factor=10.0, refresh_every=7, schedule="constant")
    module = importlib.import_module(f"submissions.{name}.submission")
    optimizer, schedule = module.build(problem, {**point, "warmup": 0.0})
    parts = getattr(optimizer, "parts", [optimizer])
    for step in range(25):
        if schedule(0.5) > 1.0:
            spiked.append(step)
        torch_steps(optimizer, problem, range(step, step + 1))
        after = factor(parts[0].state[problem.parameters["square"]])
        if after is not None and (before is None or not torch.equal(after, before)):
            refreshed.append(step)
        before = None if after is None else after.clone()
    assert spiked == [step + lag for step in refreshed if step + lag < 25]


@pytest.mark.parametrize("name", ["dfw", "kfac"])
def test_spikes_count_a_classs_steps_and_go_on_after_loading(name: str) -> None:
    point = default_point(name, spike_factor=10.0, refresh_every=3, schedule="constant", warmup=0.0)
    kit, other = Kit("torch"), Kit("torch")
    ours = kit.submission(submission_folders()[name], **point)
    resumed = other.submission(submission_folders()[name], **point)
    stream, rate, rates = kit.stream(), point["learning_rate"], []
    for _ in range(5):
        ours.step(stream)
        rates.append(ours.learning_rate() / rate)
    resumed.load_state_dict(ours.state_dict())
    for _ in range(2):
        resumed.step(stream)
        rates.append(resumed.learning_rate() / rate)
    assert rates == pytest.approx([10.0, 1.0, 1.0, 10.0, 1.0, 1.0, 10.0])


def test_spikes_without_refreshes_are_refused() -> None:
    with pytest.raises(HarnessError, match="refresh_every"):
        schedules.from_hyperparameters(default_point("adamw", spike_factor=10.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "exponential", "final_factor": 0.0}, "final_factor"),
        ({"schedule": "step", "drops": 0}, "drops"),
        ({"schedule": "warmup_stable_decay", "cooldown": 0.3, "cooldown_shape": "x"}, "cooldown_"),
        ({"rest_cooldown": 0.3}, "rest_cooldown"),
        ({**POWER, "cooldown_power": 0.0}, "cooldown_power"),
        ({**POWER, "rest_cooldown": 0.2, "spike_factor": 2.0}, "spike_factor"),
    ],
)
def test_values_that_make_no_schedule_are_refused(changes: Point, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        schedules.from_hyperparameters(default_point("adamw", **changes))
