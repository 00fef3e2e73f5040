import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.frameworks.metrics import ExampleMetrics, concatenate
from harness.plan.plan import PlanRequest, plan
from harness.referee.parts import (
    CLEAR,
    LEAST,
    LIKELY,
    PARTS,
    Certainty,
    certainty,
    estimate,
    evaluated_until,
    may_take_parts,
    part_size,
    quantile,
    suffices,
)
from workloads.spec import Target
from workloads.targets import BaselineTarget

LOSS = Target(metric="loss", direction="minimize", value=3.0)
ACCURACY = Target(metric="accuracy", direction="maximize", value=0.6)
Values = np.ndarray


def in_batches(values: Values, metric: str, size: int) -> Iterator[ExampleMetrics]:
    for start in range(0, len(values), size):
        yield {metric: values[start : start + size]}


def count_seen(values: Values, target: Target, until: Certainty) -> int:
    """How many of a split's examples are evaluated."""
    batches = in_batches(values, target.metric, part_size(len(values), len(values)))
    batches_used = evaluated_until(batches, [], len(values), target, until)
    return len(concatenate(batches_used)[target.metric])


def losses(seed: int, count: int, mean: float) -> Values:
    """With a long tail to the right, and exactly this mean."""
    values = np.random.default_rng(seed).lognormal(0.0, 0.5, count)
    shifted_values: Values = values - values.mean() + mean
    return shifted_values


def hits(seed: int, count: int, of_them: int) -> Values:
    values = np.zeros(count)
    values[:of_them] = 1.0
    np.random.default_rng(seed).shuffle(values)
    return values


@given(st.integers(0, 2**32), st.integers(2, 500), st.floats(0.0, 1.0))
def test_a_loss_that_hits_is_no_clear_miss(seed: int, count: int, below: float) -> None:
    assert count_seen(losses(seed, count, LOSS.value - below), LOSS, "clear") == count


@given(st.integers(0, 2**32), st.integers(2, 5000), st.floats(0.01, 0.99))
def test_an_accuracy_that_hits_is_no_clear_miss(seed: int, count: int, value: float) -> None:
    target = Target(metric="accuracy", direction="maximize", value=value)
    assert count_seen(hits(seed, count, math.ceil(value * count)), target, "clear") == count


@pytest.mark.parametrize(("until", "mean"), [("likely", 3.1), ("clear", 3.3)])
def test_the_nearer_the_target_the_more_is_evaluated(until: Certainty, mean: float) -> None:
    assert count_seen(losses(1, 400, 8.0), LOSS, until) == 25
    assert 25 < count_seen(losses(1, 400, mean), LOSS, until) <= 200
    assert count_seen(losses(1, 400, 3.0001), LOSS, until) == 400
    assert count_seen(hits(1, 20_000, 2_000), ACCURACY, until) == 1250
    assert count_seen(hits(1, 20_000, 11_999), ACCURACY, until) == 20_000


def test_a_hit_is_likely_after_a_part_and_certain_after_the_whole_split() -> None:
    values = losses(1, 400, 2.0)
    assert certainty(estimate(values[:100], 400), LOSS) == "likely"
    assert count_seen(values, LOSS, "likely") < count_seen(values, LOSS, "clear") == 400
    assert certainty(estimate(values, 400), LOSS) == "whole"


@pytest.mark.parametrize(("count", "part"), [(200, 10), (400, 25), (5000, 250)])
@pytest.mark.parametrize("deviations", [1.6, 2.3])
def test_hits_are_taken_for_misses_no_oftener_than_the_bound(
    count: int, part: int, deviations: float
) -> None:
    """Of splits that just meet the target: how often a part's mean lies beyond the quantile."""
    random, tries, wrong = np.random.default_rng(2), 2000, 0
    for _ in range(tries):
        values = random.lognormal(0.0, 0.5, count)
        result = estimate(values[:part], count)
        wrong += (
            result.mean - values.mean() > quantile(part - 1, deviations) * result.standard_error
        )
    expected = tries * float(stats.norm.sf(deviations))
    assert wrong <= expected + 3.0 * math.sqrt(expected)


def test_the_standard_error_is_that_of_drawing_without_replacement() -> None:
    random = np.random.default_rng(3)
    split = random.normal(size=100)
    means = [random.permutation(split)[:40].mean() for _ in range(4000)]
    errors = [estimate(random.permutation(split)[:40], 100).standard_error for _ in range(400)]
    assert np.std(means) == pytest.approx(np.mean(errors), rel=0.05)
    assert estimate(split, 100).standard_error == 0.0


@pytest.mark.parametrize("degrees", [1, 9, 249, 4999])
@pytest.mark.parametrize("deviations", [LIKELY, CLEAR])
def test_the_quantile_is_students(degrees: int, deviations: float) -> None:
    expected = stats.t.isf(stats.norm.sf(deviations), degrees)
    assert quantile(degrees, deviations) == pytest.approx(expected, rel=1e-6)


def test_few_hits_of_a_rare_kind_are_no_clear_miss() -> None:
    """Their own deviation is so small that chance would be taken for a miss oftener than stated."""
    rare = Target(metric="accuracy", direction="maximize", value=0.1)
    assert stats.binom.cdf(8, 250, rare.value) > 10.0 * stats.norm.sf(CLEAR)
    assert certainty(estimate(hits(1, 250, 8), 5000), rare) == "likely"
    assert certainty(estimate(hits(1, 2500, 80), 5000), rare) == "clear"


@given(st.integers(0, 2**32), st.integers(2, 500), st.floats(0.0, 0.2), st.floats(-0.5, 0.5))
def test_a_loss_that_hits_is_no_clear_miss_beside_another_snapshot(
    seed: int, count: int, below: float, before: float
) -> None:
    values = losses(seed, count, LOSS.value - below)
    other = values + losses(seed + 1, count, before)
    batches = in_batches(values, "loss", part_size(count, count))
    evaluated = evaluated_until(batches, [], count, LOSS, "clear", beside={"loss": other})
    assert len(concatenate(evaluated)["loss"]) == count


@given(st.integers(0, 2**32), st.integers(2, 5000), st.floats(0.01, 0.99), st.floats(0.0, 1.0))
def test_an_accuracy_that_hits_is_no_clear_miss_beside_another_snapshot(
    seed: int, count: int, value: float, agreement: float
) -> None:
    target = Target(metric="accuracy", direction="maximize", value=value)
    values = hits(seed, count, math.ceil(value * count))
    is_same = np.random.default_rng(seed + 1).random(count) < agreement
    other = np.where(is_same, values, 1.0 - values)
    batches = in_batches(values, "accuracy", part_size(count, count))
    evaluated = evaluated_until(batches, [], count, target, "clear", beside={"accuracy": other})
    assert len(concatenate(evaluated)["accuracy"]) == count


def test_beside_a_snapshot_that_is_alike_a_small_part_is_enough() -> None:
    other = losses(1, 400, 3.1)
    values = other - np.random.default_rng(2).normal(0.05, 0.05, 400)
    alone, beside = estimate(values[:25], 400), estimate(values[:25], 400, other)
    assert beside.standard_error < 0.2 * alone.standard_error
    assert abs(beside.mean - values.mean()) < 3.0 * beside.standard_error
    assert certainty(alone, LOSS) is None
    assert certainty(beside, LOSS) == "likely"


def test_the_error_of_a_difference_is_that_of_drawing_without_replacement() -> None:
    random = np.random.default_rng(3)
    values = random.normal(size=100)
    other = values + random.normal(0.3, 0.2, size=100)
    means, errors = [], []
    for _ in range(4000):
        order = random.permutation(100)
        one = estimate(values[order][:40], 100, other[order])
        means.append(one.mean)
        errors.append(one.standard_error)
    assert np.mean(means) == pytest.approx(values.mean(), abs=0.002)
    assert np.std(means) == pytest.approx(np.mean(errors), rel=0.05)


def test_two_snapshots_that_hit_the_same_examples_are_not_thought_equal() -> None:
    values = hits(1, 5000, 3000)
    beside = estimate(values[:250], 5000, values)
    assert beside.standard_error == 0.0
    assert certainty(beside, ACCURACY) is None
    assert certainty(beside, ACCURACY.model_copy(update={"value": 0.62})) == "likely"


def test_values_that_are_all_the_same_say_nothing() -> None:
    assert certainty(estimate(np.full(10, 5.0), 200), LOSS) is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_a_clear_miss_at_once(value: float) -> None:
    values = losses(1, 400, 2.0)
    values[3] = value
    assert count_seen(values, LOSS, "clear") == 25


def test_what_is_not_needed_is_not_evaluated_and_gone_on_with_later() -> None:
    values = losses(1, 400, 8.0)
    batches = in_batches(values, "loss", 25)
    batches_used = evaluated_until(batches, [], 400, LOSS, "clear")
    assert len(batches_used) == 1
    whole = evaluated_until(batches, batches_used, 400, LOSS, "whole")
    assert concatenate(whole)["loss"].tolist() == values.tolist()


def test_certainty_has_an_order() -> None:
    certainties: tuple[Certainty, ...] = ("likely", "clear", "whole")
    rows = [[suffices(known, one) for one in certainties] for known in (None, *certainties)]
    assert [sum(row) for row in rows] == [0, 1, 2, 3]


def test_without_a_known_target_nothing_is_certain_before_the_end() -> None:
    unknown = BaselineTarget(metric="loss", direction="minimize", baseline="adamw", fraction=0.6)
    assert certainty(estimate(losses(1, 25, 8.0), 400), unknown) is None
    (trial,) = plan(PlanRequest("mlp", "adamw", trials=1)).trials
    assert may_take_parts(trial)
    assert not may_take_parts(trial.model_copy(update={"target": unknown}))
    assert not may_take_parts(trial.model_copy(update={"stop_rule": "budget"}))


@given(st.integers(1, 100_000), st.integers(1, 5000))
def test_parts_are_even_where_they_can_be(examples: int, most: int) -> None:
    size = part_size(examples, most)
    assert 1 <= size <= most
    assert min(most, examples / PARTS) / 2 <= size <= max(LEAST, examples / PARTS + 1)
    assert part_size(5000, 500) == 250
    assert part_size(200, 20) == 10
    assert part_size(40, 20) == 10
