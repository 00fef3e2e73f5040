"""Pure rules on how much of the validation split to evaluate: until the outcome is clear.

The split is evaluated in an order drawn for the instance, which no submission knows, about a
sixteenth at a time but at least ten examples. The mean of the first n of N examples estimates that
of the whole split, with the standard error

    se = s sqrt((1 - n / N) / n)

where s is the standard deviation of their values. The estimate lies z deviations from the target if
it is q se away, q being the quantile of Student's t with n - 1 degrees of freedom that is exceeded
as rarely as z standard deviations are by a normal variable: for z = 5 and ten examples q is 11.5,
for a thousand 5.1.

    likely   two deviations from the target, a hit or a miss: enough to decide what to evaluate next
    clear    a miss by five deviations: enough to discard the snapshots before it
    whole    the whole split: what the hit and the miss before it are evaluated on

A snapshot is tested after each of at most thirty parts. Of snapshots that just meet the target,
fewer than one in 100,000 is mistaken for a clear miss; the long right tail of losses makes this
even rarer.

Neighbouring snapshots find the same examples hard. Once one of the trial's snapshots has been
evaluated on the whole split, the others are therefore estimated by their difference from it, the
difference estimator of survey sampling (Cochran, Sampling Techniques, 1977, section 7.9): that
snapshot's mean over the whole split plus the mean difference over the first n examples, with s the
standard deviation of the differences. On `lm` it is a ninth of that of the values. If half of the
split decides nothing, all of it is evaluated: the next snapshots are then compared with this one.

Few examples may contain no error by chance, so an accuracy's s is at least its value at the target;
that of differences is at least its value if one example differs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from harness.frameworks.metrics import ExampleMetrics, concatenate
from harness.plan.trial import Trial
from workloads.targets import AnyTarget, Target

Certainty = Literal["likely", "clear", "whole"]
Values = npt.NDArray[np.float64]
PARTS = 16
"""The number of parts of a split (up to twice as many if sizes do not divide)."""
LEAST = 10
"""Least examples of a part: fewer say little of the deviation, and small batches are slow."""
LIKELY, CLEAR = 2.0, 5.0
"""Numbers of deviations, as above."""


class Estimate(NamedTuple):
    """The estimate of a whole split's mean from a part of it."""

    mean: float
    standard_error: float
    """NaN if there are fewer than two examples, or NaN among the values."""
    examples: int
    of: int
    """The number of examples in the split."""
    is_difference: bool = False
    """Whether it is estimated by the difference from a snapshot evaluated on the whole split."""


class Measurement(NamedTuple):
    """A value of the target's metric."""

    value: float
    certainty: Certainty | None = "whole"
    """The certainty of the outcome on the whole split; None if it is not even likely."""

    @property
    def is_whole(self) -> bool:
        """Whether the whole split was evaluated."""
        return self.certainty == "whole"

    @property
    def is_clear(self) -> bool:
        """Whether the snapshots before it can be discarded if it misses."""
        return self.certainty in ("clear", "whole")


def estimate(values: Values, of: int, beside: Values | None = None) -> Estimate:
    """What the first examples of a split say of its mean.

    Args:
        values: a metric of each, shape (examples,).
        of: how many examples the split has.
        beside: the metric of another snapshot on the whole split, shape (of,), all finite; None if
            there is none to compare with.
    """
    count = len(values)
    other = beside if count < of else None
    start, differences = 0.0, values
    if other is not None:
        start, differences = float(other.mean()), values - other[:count]
    with np.errstate(invalid="ignore", over="ignore"):
        deviation = float(np.std(differences, ddof=1)) if count > 1 else math.nan
        mean = start + float(differences.mean())
    return Estimate(mean, deviation * _scale(count, of), count, of, other is not None)


def certainty(part: Estimate, target: AnyTarget) -> Certainty | None:
    """The certainty of the outcome on the whole split; None if it is not even likely.

    Whether the outcome is a hit or a miss follows from the estimate itself.
    """
    if part.examples == part.of:
        return "whole"
    if not math.isfinite(part.mean):  # nor is the mean of all
        return None if target.is_met_by(part.mean) else "clear"
    sign = 1.0 if target.direction == "maximize" else -1.0
    missing = sign * (target.value - part.mean)
    at_least = _least_deviation(part, target) * _scale(part.examples, part.of)
    error = max(part.standard_error, at_least)
    if not error > 0.0:
        return None
    if missing > quantile(part.examples - 1, CLEAR) * error:
        return "clear"
    return "likely" if abs(missing) > quantile(part.examples - 1, LIKELY) * error else None


def suffices(level: Certainty | None, minimum: Certainty) -> bool:
    """Whether a level of certainty is at least another one."""
    order = (None, "likely", "clear", "whole")
    return order.index(level) >= order.index(minimum)


def evaluated_until(
    batches: Iterable[ExampleMetrics],
    before: Sequence[ExampleMetrics],
    of: int,
    target: AnyTarget,
    until: Certainty,
    *,
    beside: ExampleMetrics | None = None,
) -> list[ExampleMetrics]:
    """Evaluate batches of a split until the outcome has the required certainty, or all of them if
    half of the split does not give it.

    Args:
        batches: of the split, drawn only as needed.
        before: the batches evaluated earlier.
        of: how many examples the split has.
        target: the metric and the value to reach.
        until: the required certainty.
        beside: the metrics of another snapshot on the whole split; see `estimate`.
    """
    so_far = list(before)
    if until == "whole":
        return [*so_far, *batches]
    other = None if beside is None else beside[target.metric]
    count = sum(len(batch[target.metric]) for batch in so_far)
    for batch in batches:
        so_far.append(batch)
        values = concatenate(so_far)[target.metric]
        if len(values) - count < part_size(of, of) or 2 * len(values) > of:
            continue
        count = len(values)
        if suffices(certainty(estimate(values, of, other), target), until):
            break
    return so_far


@cache
def quantile(degrees: int, deviations: float) -> float:
    """The quantile of Student's t with the same tail probability as a normal variable's deviation.

    Args:
        degrees: degrees of freedom of Student's t, at least 1.
        deviations: in standard deviations of a normal variable.
    """
    tail = 0.5 * math.erfc(deviations / math.sqrt(2.0))
    return -float(special.stdtrit(degrees, tail))


def part_size(examples: int, most: int) -> int:
    """The batch size of evaluation for which a split has about `PARTS` parts.

    A divisor of the split if there is one nearby, as a last batch of another size is recompiled.

    Args:
        examples: how many the split has.
        most: the largest batch size.
    """
    size = max(1, min(most, max(LEAST, -(-examples // PARTS))))
    return next((n for n in range(size, size // 2, -1) if examples % n == 0), size)


def may_take_parts(trial: Trial) -> bool:
    """Whether a trial's snapshots may be evaluated on parts: if it ends at a known target.

    The curve of any other trial is its result, so each point is evaluated on the whole split.
    """
    return trial.stop_rule == "target" and isinstance(trial.target, Target)


def _scale(examples: int, of: int) -> float:
    """The ratio of standard error to standard deviation: 0 for the whole split."""
    return math.sqrt((1.0 - examples / of) / examples)


def _least_deviation(part: Estimate, target: AnyTarget) -> float:
    """The deviation of an accuracy at the target, of examples with one target each; of differences
    that if one example differs."""
    value = target.value
    if not (target.metric == "accuracy" and 0.0 < value < 1.0):
        return 0.0
    return math.sqrt(1.0 / part.examples if part.is_difference else value * (1.0 - value))
