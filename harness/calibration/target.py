"""The rule that chooses a target from twenty curves of a tuned AdamW: a pure function."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from harness.core.errors import HarnessError
from workloads.spec import Count, Fraction, Frozen, Target

Direction = Literal["maximize", "minimize"]


class Curve(Frozen):
    """A training run's metric after given numbers of steps (None for NaN)."""

    instance_seed: str
    steps: tuple[int, ...]
    values: tuple[float | None, ...]


class Rule(Frozen):
    """The conditions that a target must fulfil."""

    reached_fraction: Fraction = 0.9
    """The fraction of seeds that must reach it by the horizon: 18 of 20."""
    studies_fraction: Fraction = 0.8
    """The fraction of whole studies, with points drawn as for a user, that must reach it."""
    max_variation: float = 0.10
    """The maximum coefficient of variation of the steps to it, over the seeds that reach it."""
    latest_fraction: Fraction = 1.0
    """The fraction of the horizon by which the median seed must reach it: below 1, where the curve
    is still steep."""
    resolution: float = 0.001
    """Targets are multiples of this: evaluation noise hides smaller differences."""


class Noise(Frozen):
    """A value, and how reliably, how soon and how uniformly the seeds reach it."""

    value: float
    reached: int
    seeds: Count
    median_steps: float | None
    variation: float | None
    """The coefficient of variation (standard deviation over mean) of the steps to the value.

    This and the median are None if no seed reaches the value.
    """


def steps_to(curve: Curve, target: Target) -> int | None:
    """The steps at the first observation that meets the target; None if there is none."""
    for step, value in zip(curve.steps, curve.values, strict=True):
        if value is not None and target.is_met_by(value):
            return step
    return None


def noise_of(curves: Sequence[Curve], target: Target) -> Noise:
    """How reliably and uniformly curves reach a target."""
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
    """The best value that enough curves reach, uniformly enough, and that enough studies reach.

    Args:
        curves: one curve per seed, up to the horizon, at the tuned point.
        study_bests: the best value of any trial within the budget, for each whole study.
        metric: the validation metric's name.
        direction: whether larger or smaller values are better.
        rule: the required fractions and the maximum variation.

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
        "set a longer horizon with --horizon-steps",
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


def noise_text(noise: Noise, metric: str) -> str:
    """A target in words: its value, and how many seeds reach it how fast."""
    variation = "-" if noise.variation is None else f"{100.0 * noise.variation:.1f} %"
    return (
        f"{metric} {noise.value:g}, reached by {noise.reached} of {noise.seeds} seeds after a "
        f"median of {noise.median_steps:g} steps, variation {variation}"
    )
