"""The rule that turns twenty curves of a tuned AdamW into a target; a pure function of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from harness.core.errors import HarnessError
from workloads.spec import Count, Fraction, Frozen, Target

Direction = Literal["maximize", "minimize"]


class Curve(Frozen):
    """What one training run reached: a metric after numbers of steps (None where it was NaN)."""

    instance_seed: str
    steps: tuple[int, ...]
    values: tuple[float | None, ...]


class Rule(Frozen):
    """When a value may be the target."""

    reached_fraction: Fraction = 0.9
    """The fraction of the seeds that must reach it by the horizon: 18 of 20."""
    studies_fraction: Fraction = 0.8
    """The fraction of whole studies, at points drawn as a user's are, that must reach it."""
    max_variation: float = 0.10
    """The greatest coefficient of variation of the steps to it, among seeds that reach it."""
    latest_fraction: Fraction = 1.0
    """The fraction of the horizon by which the median seed must be there: below 1, on the slope."""
    resolution: float = 0.001
    """Targets are multiples of it: a step that evaluation noise cannot tell apart is of no use."""


class Noise(Frozen):
    """A value and how surely, how soon and how evenly it is reached."""

    value: float
    reached: int
    seeds: Count
    median_steps: float | None
    variation: float | None
    """The coefficient of variation (standard deviation over mean) of the steps to the value.

    This and the median are None where no seed reaches the value.
    """


def steps_to(curve: Curve, target: Target) -> int | None:
    """The steps of the first observation at the target or beyond it; None if there is none."""
    for step, value in zip(curve.steps, curve.values, strict=True):
        if value is not None and target.is_met_by(value):
            return step
    return None


def noise_of(curves: Sequence[Curve], target: Target) -> Noise:
    """How surely and how evenly curves reach a target."""
    steps_of_hits = [steps for curve in curves if (steps := steps_to(curve, target)) is not None]
    if not steps_of_hits:
        return Noise(
            value=target.value, reached=0, seeds=len(curves), median_steps=None, variation=None
        )
    spread = float(np.std(steps_of_hits, ddof=1)) if len(steps_of_hits) > 1 else 0.0
    return Noise(
        value=target.value,
        reached=len(steps_of_hits),
        seeds=len(curves),
        median_steps=float(np.median(steps_of_hits)),
        variation=round(spread / float(np.mean(steps_of_hits)), 6),
    )


def target_of(
    curves: Sequence[Curve],
    study_bests: Sequence[float | None],
    metric: str,
    direction: Direction,
    rule: Rule | None = None,
) -> Noise:
    """The best value that enough curves reach evenly enough, and enough studies at all.

    Args:
        curves: one a seed, up to the horizon, at the tuned point.
        study_bests: the best value that any trial of each whole study reached in its budget.
        metric: the validation metric's name.
        direction: whether more or less of it is better.
        rule: what "enough" and "evenly" mean.

    Raises:
        HarnessError: no value fulfils the rule.
    """
    rule = rule or Rule()
    enough = math.ceil(rule.reached_fraction * len(curves) - 1e-9)
    latest = rule.latest_fraction * max(
        (curve.steps[-1] for curve in curves if curve.steps), default=0
    )
    for value in _candidates(curves, direction, rule.resolution):
        target = Target(metric=metric, direction=direction, value=value)
        noise = noise_of(curves, target)
        studies = sum(best is not None and target.is_met_by(best) for best in study_bests)
        if noise.reached < enough or noise.variation is None or noise.median_steps is None:
            continue
        if noise.median_steps > latest:
            continue
        if studies < rule.studies_fraction * len(study_bests) - 1e-9:
            continue
        if noise.variation <= rule.max_variation:
            return noise
    raise HarnessError(
        f"no value of {metric} is reached by {enough} of {len(curves)} seeds with a coefficient of "
        f"variation of at most {rule.max_variation:g} and by {rule.studies_fraction:.0%} of "
        f"studies, its median seed within {rule.latest_fraction:.0%} of the horizon",
        "ask for a longer horizon with --horizon-steps",
    )


def _candidates(
    curves: Sequence[Curve], direction: Direction, resolution: float
) -> Iterable[float]:
    """The multiples of the resolution that some curve reaches, best first."""
    values = [value for curve in curves for value in curve.values if value is not None]
    if not values:
        return []
    # a tenth of a millionth forgives the last bit of a value that is itself a multiple
    low = math.ceil(min(values) / resolution - 1e-7)
    high = math.floor(max(values) / resolution + 1e-7)
    digits = max(0, round(-math.log10(resolution)) + 2)
    multiples = [round(number * resolution, digits) for number in range(low, high + 1)]
    return reversed(multiples) if direction == "maximize" else multiples
