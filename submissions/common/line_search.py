"""Line search for the strong Wolfe conditions by cubic interpolation.

With phi(a) = f(w + a d), a length a is accepted when

    phi(a) <= phi(0) + c1 a phi'(0)      and      |phi'(a)| <= c2 |phi'(0)|

Lengths grow until an interval is known to contain an acceptable one; the interval is then shrunk
using the minimiser of the cubic through its ends: Nocedal and Wright (2006), Algorithms 3.5 and
3.6. On a quadratic the second trial is the exact minimiser.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Loss = Callable[[Tensor], tuple[float, Tensor]]
"""Maps a vector (n,) to the value and gradient (n,)."""

GROWTH, STRIDE = 10.0, 3.0
MARGIN = 0.1
"""Fraction of the interval at each end that trials avoid while it shrinks."""
NARROW = 1e-9


@dataclass(frozen=True)
class Trial:
    """A length along the direction, with the value, slope and gradient there."""

    length: float
    value: float
    slope: float
    gradient: Tensor


@dataclass(frozen=True)
class Wolfe:
    """The constants c1 (`decrease`) and c2 (`curvature`), and the maximum number of trials."""

    decrease: float = 1e-4
    curvature: float = 0.9
    evaluations: int = 20

    def search(
        self, loss: Loss, point: Tensor, direction: Tensor, start: Trial, first: float
    ) -> Trial:
        """Find a length that satisfies the conditions.

        Args:
            loss: the function f.
            point: current point w, (n,).
            direction: descent direction d, (n,).
            start: the trial at length 0.
            first: the length to try first.

        Returns:
            The accepted trial. If none of `evaluations` trials satisfies both conditions, the trial
            with the least value that satisfies the first, or `start`.
        """
        return _Search(self, loss, point, direction, start).run(first)


class _Search:
    def __init__(
        self, rule: Wolfe, loss: Loss, point: Tensor, direction: Tensor, start: Trial
    ) -> None:
        self.rule, self.loss = rule, loss
        self.point, self.direction, self.start = point, direction, start
        self.budget = rule.evaluations

    def run(self, first: float) -> Trial:
        before, length = self.start, first
        while self.budget > 0:
            here = self._at(length)
            if self._is_too_high(here) or (before.length > 0.0 and here.value >= before.value):
                return self._shrink(before, here)
            if self._is_flat(here):
                return here
            if here.slope >= 0.0:
                return self._shrink(here, before)
            reach, guess = here.length - before.length, minimiser(before, here)
            # If the cubic has no minimum beyond this length, extrapolate by a fixed factor.
            guess = guess if guess > here.length else here.length + STRIDE * reach
            length = min(max(guess, here.length + MARGIN * reach), GROWTH * here.length)
            before = here
        return before

    def _shrink(self, low: Trial, high: Trial) -> Trial:
        """Search between `low`, the best length so far, and `high` for an acceptable length."""
        while self.budget > 0 and abs(high.length - low.length) > NARROW * max(1.0, high.length):
            ends = sorted((low.length, high.length))
            margin = MARGIN * (ends[1] - ends[0])
            guess = minimiser(low, high)
            inside = ends[0] < guess < ends[1]
            # Guesses near an end are moved inwards so that the interval is sure to shrink.
            guess = min(max(guess, ends[0] + margin), ends[1] - margin) if inside else sum(ends) / 2
            here = self._at(guess)
            if self._is_too_high(here) or here.value >= low.value:
                high = here
                continue
            if self._is_flat(here):
                return here
            if here.slope * (high.length - low.length) >= 0.0:
                high = low
            low = here
        return low

    def _at(self, length: float) -> Trial:
        self.budget -= 1
        value, gradient = self.loss(self.point + length * self.direction)
        if not math.isfinite(value):
            return Trial(length, math.inf, math.nan, gradient)
        return Trial(length, value, float(gradient @ self.direction), gradient)

    def _is_too_high(self, here: Trial) -> bool:
        bound = self.start.value + self.rule.decrease * here.length * self.start.slope
        return not here.value <= bound

    def _is_flat(self, here: Trial) -> bool:
        return abs(here.slope) <= -self.rule.curvature * self.start.slope


def minimiser(left: Trial, right: Trial) -> float:
    """Minimiser of the cubic with the trials' values and slopes; the midpoint if there is none.

    Nocedal and Wright (2006), equation 3.59.
    """
    middle = 0.5 * (left.length + right.length)
    if not (math.isfinite(right.value) and math.isfinite(left.value)):
        return middle
    width = right.length - left.length
    first = left.slope + right.slope - 3.0 * (left.value - right.value) / -width
    square = first * first - left.slope * right.slope
    if square < 0.0:
        return middle
    second = math.copysign(math.sqrt(square), width)
    below = right.slope - left.slope + 2.0 * second
    if below == 0.0:
        return middle
    return right.length - width * (right.slope + second - first) / below
