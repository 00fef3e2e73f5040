"""The convergence band of a calibration: results beyond it are suspiciously good."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from harness.calibration.summary import Baseline, Summary
from harness.calibration.target import steps_to
from workloads.band import Band, Span
from workloads.spec import Target

COVERAGE = 0.999
"""The probability that a trial of a method as good as the best baseline is above the edge."""
MACHINE_DRIFT = 0.25
"""The change of a machine's speed allowed within a calibration or trial, as a fraction; an extra
margin for seconds. The same limit flags a trial (`limits.drift`)."""
TUNED_FOR_TIME = 3.0
"""The margin for points tuned for time. Baselines are calibrated at the point with the best value
at the horizon; other points of the same space reach the target sooner, and a study counts its best
trial: `muon` on `mlp` takes 233 steps where the calibrated point takes 407. The margin is about the
square of that ratio."""


def with_band(summary: Summary) -> Summary:
    """A summary with the band computed from its baselines."""
    return summary.model_copy(update={"band": band_of(summary)})


def band_of(summary: Summary) -> Band | None:
    """The band of the baselines that reach the target in the fraction of seeds that the rule
    requires.

    The logarithm of a seed's time is assumed to be normal, with the same standard deviation s for
    all baselines (k baselines, N seeds in all). A further seed of the best baseline, whose n seeds
    have the geometric mean m, then exceeds

        m * exp(-t * s * sqrt(1 + 1 / n)),    t = the `COVERAGE` quantile of Student's t, N - k

    with probability `COVERAGE` (the one-sided prediction interval of one observation).

    Returns:
        The band, or None if no timed baseline reaches the target in at least two seeds.
    """
    target = Target(metric=summary.metric, direction=summary.direction, value=summary.target.value)
    steps = {}
    for baseline in summary.baselines:
        hits = _hits(baseline, target)
        enough = max(2, math.ceil(summary.rule.reached_fraction * len(baseline.curves) - 1e-9))
        if len(hits) >= enough and baseline.speed is not None:
            steps[baseline.submission] = np.array(hits, dtype=np.float64)
    if not steps:
        return None
    speeds = {b.submission: b.speed.step_s for b in summary.baselines if b.speed is not None}
    seconds = {name: values * speeds[name] for name, values in steps.items()}
    return Band(
        target=summary.target.value,
        budget_s=summary.budget_s,
        steps=_span(steps, margin=TUNED_FOR_TIME),
        seconds=_span(seconds, margin=TUNED_FOR_TIME * (1.0 + MACHINE_DRIFT)),
    )


def band_text(band: Band | None) -> str:
    """The limits below which an entry is held, in words."""
    if band is None:
        return "none is calibrated: no time is held for being too good"
    spans = [
        f"{span.edge:g} {unit} ({span.baseline}: {span.fastest:g} to {span.slowest:g})"
        for span, unit in ((band.seconds, "s"), (band.steps, "steps"))
    ]
    return f"an entry is held below {' or '.join(spans)}"


def _hits(baseline: Baseline, target: Target) -> Sequence[int]:
    return [n for curve in baseline.curves if (n := steps_to(curve, target)) is not None]


def _span(samples: dict[str, np.ndarray], margin: float = 1.0) -> Span:
    """The span of the baseline with the smallest median; its edge is divided by the margin."""
    best = min(samples, key=lambda name: float(np.median(samples[name])))
    values, logs = samples[best], {name: np.log(each) for name, each in samples.items()}
    degrees = sum(len(each) - 1 for each in logs.values())
    squares = sum(float(np.square(each - each.mean()).sum()) for each in logs.values())
    deviation = math.sqrt(squares / degrees)
    reach = float(stats.t.ppf(COVERAGE, degrees)) * deviation * math.sqrt(1.0 + 1.0 / len(values))
    return Span(
        baseline=best,
        seeds=len(values),
        fastest=_digits(values.min()),
        median=_digits(np.median(values)),
        slowest=_digits(values.max()),
        edge=_digits(math.exp(float(logs[best].mean()) - reach) / margin),
    )


def _digits(value: float | np.floating) -> float:
    return float(f"{float(value):.4g}")
