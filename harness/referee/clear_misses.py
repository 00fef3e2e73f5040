"""When a snapshot misses the target so clearly that a part of the validation split shows it: pure
rules.

The split is evaluated in an order that is drawn for the instance and that no submission knows,
about a sixteenth at a time. The mean of the first n of N examples is an estimate of the whole
split's, with the standard error

    se = s sqrt((1 - n / N) / n)

where s is the standard deviation of their values. The snapshot is a clear miss, and no more of the
split is evaluated, if that mean misses the target by more than q se. q is the quantile of Student's
t with n - 1 degrees of freedom that is exceeded as rarely as five standard deviations are by a
normal variable, 3e-7: 11.5 for ten examples, 5.1 for a thousand. A snapshot that just meets the
target is looked at after thirty parts at most, so fewer than one in 100,000 is taken for a miss;
the long tail that losses have to the right makes it rarer. A hit is never declared early.

Few errors among few examples say little: an accuracy's s is at least what it is at the target.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from harness.frameworks.metrics import ExampleMetrics, joined
from harness.plan.trial import Trial
from workloads.targets import AnyTarget, Target

PARTS = 16
"""Into how many the split is divided, or up to twice as many: after each it may be enough."""
TAIL = 0.5 * math.erfc(5.0 / math.sqrt(2.0))
"""The probability that the rule is wrong about a snapshot at the target, for one part."""


class Estimate(NamedTuple):
    """What a part of a split says of the whole."""

    mean: float
    standard_error: float
    """Not a number where there are fewer than two examples, or values that are none."""
    examples: int
    of: int
    """How many the split has."""


def up_to_a_clear_miss(
    batches: Iterable[ExampleMetrics], of: int, target: AnyTarget
) -> ExampleMetrics:
    """The metrics of a split up to the first part that shows a clear miss; of all if none does.

    Args:
        batches: the split, at least one batch; what comes after the part is not asked for.
        of: how many examples the split has.
        target: what is missed.
    """
    taken, seen = list[ExampleMetrics](), 0
    for batch in batches:
        taken.append(batch)
        values = joined(taken)[target.metric]
        if len(values) - seen < part_size(of, of):
            continue
        seen = len(values)
        if is_clear_miss(estimate(values, of), target):
            break
    return joined(taken)


def estimate(values: npt.NDArray[np.float64], of: int) -> Estimate:
    """What the first examples of a split say of its mean.

    Args:
        values: a metric of each, shape (examples,).
        of: how many examples the split has.
    """
    count = len(values)
    with np.errstate(invalid="ignore", over="ignore"):
        deviation = float(np.std(values, ddof=1)) if count > 1 else math.nan
    return Estimate(float(values.mean()), deviation * _scale(count, of), count, of)


def is_clear_miss(found: Estimate, target: AnyTarget) -> bool:
    """Whether the whole split would miss the target, by what a part of it says."""
    if not math.isfinite(found.mean):  # nor is the mean of all
        return not target.is_met_by(found.mean)
    sign = 1.0 if target.direction == "maximize" else -1.0
    missing = sign * (target.value - found.mean)
    at_least = _least_deviation(target) * _scale(found.examples, found.of)
    error = max(found.standard_error, at_least)
    return error > 0.0 and missing > quantile(found.examples - 1) * error


@cache
def quantile(degrees: int, tail: float = TAIL) -> float:
    """What Student's t with so many degrees of freedom exceeds with a probability."""
    return -float(special.stdtrit(degrees, tail))


def part_size(examples: int, most: int) -> int:
    """How many examples are evaluated at once, so that there are about `PARTS` parts.

    A divisor of the split, if there is one near, as a last batch of another size is compiled anew.

    Args:
        examples: of the split.
        most: how many may be evaluated at once.
    """
    size = max(1, min(most, -(-examples // PARTS)))
    return next((n for n in range(size, size // 2, -1) if examples % n == 0), size)


def may_stop_early(trial: Trial) -> bool:
    """Whether a trial's misses may be declared early: it ends at its target, and that is known.

    The curve of any other trial is a result by itself, and each of its points a whole split's.
    """
    return trial.stop_rule == "target" and isinstance(trial.target, Target)


def _scale(examples: int, of: int) -> float:
    """The standard error over the standard deviation: 0 of the whole split."""
    return math.sqrt((1.0 - examples / of) / examples)


def _least_deviation(target: AnyTarget) -> float:
    """The deviation of an accuracy at the target, of examples with one target each."""
    value = target.value
    is_fraction = target.metric == "accuracy" and 0.0 < value < 1.0
    return math.sqrt(value * (1.0 - value)) if is_fraction else 0.0
