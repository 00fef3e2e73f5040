"""How much of the validation split is evaluated: until it is plain what comes out. Pure rules.

The split is evaluated in an order that is drawn for the instance and that no submission knows,
about a sixteenth at a time, but at least ten examples. The mean of the first n of N examples is an
estimate of the whole split's, with the standard error

    se = s sqrt((1 - n / N) / n)

where s is the standard deviation of their values. The estimate lies z deviations from the target if
it is q se away, q being the quantile of Student's t with n - 1 degrees of freedom that is exceeded
as rarely as z standard deviations are by a normal variable: for z = 5 and ten examples q is 11.5,
for a thousand 5.1.

    likely   two deviations from the target, a hit or a miss: enough to decide what to evaluate next
    clear    a miss by five deviations: enough to forget the snapshots before it
    whole    the whole split: what the hit and the miss before it are evaluated on

A snapshot that just meets the target is a clear miss after one of at most thirty parts, so fewer
than one in 100,000 is taken for that; the long tail that losses have to the right makes it rarer.

Snapshots near each other find the same examples hard. So once one of the trial's was evaluated on
the whole split, the others are estimated by their difference from it, the difference estimator of
survey sampling (Cochran, Sampling Techniques, 1977, section 7.9): the whole split's mean of that
one, and the mean of the differences in the first n, with s the differences' standard deviation. On
`lm` it is an eighth of the values'. Where half the split makes nothing likely all of it is
evaluated: a snapshot so near the target is what the next ones are compared with.

Few errors among few examples say little: an accuracy's s is at least what it is at the target, and
that of differences at least what one example that differs makes it.
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
"""Into how many the split is divided, or up to twice as many: after each it may be enough."""
LEAST = 10
"""Examples in a part: of fewer the deviation is hardly known, and a small batch is slow."""
LIKELY, CLEAR = 2.0, 5.0
"""Deviations, as above."""


class Estimate(NamedTuple):
    """What a part of a split says of the whole."""

    mean: float
    standard_error: float
    """Not a number where there are fewer than two examples, or values that are none."""
    examples: int
    of: int
    """How many the split has."""
    is_difference: bool = False
    """Whether it is estimated by the difference from a snapshot that was evaluated whole."""


class Measurement(NamedTuple):
    """A value of the target's metric."""

    value: float
    certainty: Certainty | None = "whole"
    """How certain it is on which side of the target the whole split lies; None for not at all."""

    @property
    def is_whole(self) -> bool:
        """Whether it is that of the whole split."""
        return self.certainty == "whole"

    @property
    def is_clear(self) -> bool:
        """Whether what lies before it need not be kept, if it misses."""
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
    is_difference = beside is not None and count < of
    start, differing = 0.0, values
    if beside is not None and is_difference:
        start, differing = float(beside.mean()), values - beside[:count]
    with np.errstate(invalid="ignore", over="ignore"):
        deviation = float(np.std(differing, ddof=1)) if count > 1 else math.nan
        mean = start + float(differing.mean())
    return Estimate(mean, deviation * _scale(count, of), count, of, is_difference)


def certainty(part: Estimate, target: AnyTarget) -> Certainty | None:
    """How certain it is on which side of the target the whole split lies; None for not even likely.

    Whether it is a hit or a miss, the estimate itself says.
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
    """Batches of a split up to the first part after which the outcome is as certain as is wanted,
    or all of them if half the split is not enough.

    Args:
        batches: of the split; none is asked for that is not needed.
        before: those that were evaluated before.
        of: how many examples the split has.
        target: what is to be met.
        until: how certain the outcome is to be.
        beside: of another snapshot, the whole split; see `estimate`.
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
    """What Student's t exceeds as rarely as a normal variable exceeds so many deviations.

    Args:
        degrees: of freedom.
        deviations: standard ones.
    """
    tail = 0.5 * math.erfc(deviations / math.sqrt(2.0))
    return -float(special.stdtrit(degrees, tail))


def part_size(examples: int, most: int) -> int:
    """How many examples are evaluated at once, so that there are about `PARTS` parts.

    A divisor of the split, if there is one near, as a last batch of another size is compiled again.

    Args:
        examples: of the split.
        most: how many may be evaluated at once.
    """
    size = max(1, min(most, max(LEAST, -(-examples // PARTS))))
    return next((n for n in range(size, size // 2, -1) if examples % n == 0), size)


def may_take_parts(trial: Trial) -> bool:
    """Whether a trial's snapshots may be evaluated on parts: it ends at a target that is known.

    The curve of any other trial is a result by itself, and each of its points a whole split's.
    """
    return trial.stop_rule == "target" and isinstance(trial.target, Target)


def _scale(examples: int, of: int) -> float:
    """The standard error over the standard deviation: 0 of the whole split."""
    return math.sqrt((1.0 - examples / of) / examples)


def _least_deviation(part: Estimate, target: AnyTarget) -> float:
    """The deviation of an accuracy at the target, of examples with one target each; of differences
    that if one example differs."""
    value = target.value
    if not (target.metric == "accuracy" and 0.0 < value < 1.0):
        return 0.0
    return math.sqrt(1.0 / part.examples if part.is_difference else value * (1.0 - value))
