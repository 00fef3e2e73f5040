"""Test the claims of an experiment: each held, did not hold, is undecided, or was not tested.

A claim compares an entry's measure, at its best point on each variant, with a bound or with another
entry's measure on the same instances. On a variant it holds or fails if the 95 % t-interval of the
mean difference over instances lies on one side; with a single instance the difference itself
decides. An entry is near another if the interval lies within the margin, and not near if it lies
outside. If the measure's scale is `log`, all of this is done with logarithms: differences are those
of logarithms, and means are geometric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import t

from experiments.measures import TRAINED, Values, best_points, mean, on_scale
from experiments.spec import Claim, Measure, Settings

Verdict = Literal["held", "did not hold", "undecided", "not tested"]
LEVEL = 0.95


@dataclass(frozen=True)
class Finding:
    """A claim with its verdict and the numbers behind it."""

    claim: Claim
    verdict: Verdict
    evidence: str


@dataclass(frozen=True)
class _Side:
    """One side of a claim: which number of which trials."""

    entry: str
    at: Settings
    metric: str
    when: float | None


def findings(
    claims: Sequence[Claim], trials: pd.DataFrame, evaluations: pd.DataFrame, measure: Measure
) -> tuple[Finding, ...]:
    """Test each claim.

    Args:
        claims: as the experiment declares them.
        trials: all trials with their measure, see `experiments.measures`.
        evaluations: their evaluations, see `experiments.frame`.
        measure: the measure by which an entry's best point is chosen.
    """
    return tuple(_finding(claim, trials, evaluations, measure) for claim in claims)


def interval_of(values: Sequence[float] | Values, measure: Measure) -> tuple[float, float]:
    """The interval of the mean over instances, computed on the measure's scale."""
    low, high = interval(on_scale(values, measure))
    return (math.exp(low), math.exp(high)) if measure.scale == "log" else (low, high)


def interval(values: Sequence[float] | Values) -> tuple[float, float]:
    """The 95 % t-interval of the mean; of a single value, or with infinite ones, their range."""
    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 2 or not np.isfinite(numbers).all():
        return float(numbers.min()), float(numbers.max())
    half = t.ppf(0.5 + LEVEL / 2, len(numbers) - 1) * numbers.std(ddof=1) / math.sqrt(len(numbers))
    return float(numbers.mean() - half), float(numbers.mean() + half)


def _finding(
    claim: Claim, trials: pd.DataFrame, evaluations: pd.DataFrame, measure: Measure
) -> Finding:
    if claim.untested:
        return Finding(claim, "not tested", claim.untested)
    own = _numbers(_own_side(claim), trials, evaluations, measure)
    other = _numbers(_other_side(claim), trials, evaluations, measure) if claim.other else {}
    signs, texts = [], []
    for variant in claim.variants or tuple(own):
        value = own[variant]
        against = other.get(claim.than_variant or variant, np.full_like(value, claim.bound or 0.0))
        signs.append(_sign(on_scale(value, measure), on_scale(against, measure), claim))
        comparison = f" against {mean(against, measure):.3g}" if claim.other else ""
        texts.append(
            f"{variant}: {mean(value, measure):.3g}{comparison}{_spread(value, against, measure)}"
        )
    quorum = min(claim.on or len(signs), len(signs))  # the quick form has fewer variants
    return Finding(claim, _verdict(signs, quorum), "; ".join(texts))


def _spread(own: Values, other: Values, measure: Measure) -> str:
    """The interval of the difference, or ratio, over instances, if there are several."""
    if len(own) < 2 or not np.isfinite([own, other]).all():
        return ""
    low, high = interval(on_scale(own, measure) - on_scale(other, measure))
    if measure.scale == "log":
        return f", ratio {math.exp(low):.3g} to {math.exp(high):.3g}"
    return f", difference {low:.3g} to {high:.3g}"


def _own_side(claim: Claim) -> _Side:
    return _Side(claim.entry, claim.at, claim.metric, claim.when)


def _other_side(claim: Claim) -> _Side:
    return _Side(
        claim.other,
        claim.at if claim.than_at is None else claim.than_at,
        claim.than_metric or claim.metric,
        claim.than_when or claim.when,
    )


def _numbers(
    side: _Side, trials: pd.DataFrame, evaluations: pd.DataFrame, measure: Measure
) -> dict[str, Values]:
    """The side's value on each variant, by instance: the measure, or a metric at some step."""
    own = trials[trials["entry"] == side.entry]
    best = best_points(_held_at(own, side.at), measure)
    if side.metric or side.when is not None:
        best = best.assign(value=_metric_of(best, side, evaluations, measure))
    return {
        str(variant): rows.sort_values("instance")["value"].to_numpy(dtype=float)
        for variant, rows in best.groupby("variant", sort=False)
    }


def _held_at(trials: pd.DataFrame, values: Settings) -> pd.DataFrame:
    """The trials at the given swept values, and those of entries that do not sweep them."""
    for name, value in values.items():
        trials = trials[(trials[name] == value) | trials[name].isna()]
    return trials


def _metric_of(
    best: pd.DataFrame, side: _Side, evaluations: pd.DataFrame, measure: Measure
) -> list[float]:
    """The metric of each trial at the nearest evaluated step; NaN if it was not evaluated.

    Of a trial that did not train to its end the measure's metric is the worst possible, as its
    measure is; of other metrics nothing is known, since none of them says which way is worse.
    """
    keys = ["entry", "variant", "instance", "point"]
    name = side.metric or measure.metric
    metric = evaluations[evaluations["metric"] == name]
    by_trial = dict(list(metric.groupby(keys)))
    step = (side.when or 1.0) * metric["step"].max()
    of_failed = _worst_metric(measure) if name == measure.metric else math.nan
    trials = zip(best[keys].itertuples(index=False, name=None), best["state"], strict=True)
    return [
        _nearest(by_trial.get(key), step) if state in TRAINED else of_failed
        for key, state in trials
    ]


def _worst_metric(measure: Measure) -> float:
    return math.inf if measure.direction == "minimize" else -math.inf


def _nearest(rows: pd.DataFrame | None, step: float) -> float:
    """The value at the evaluated step that is nearest to the given one; NaN without any."""
    if rows is None:
        return math.nan
    distance = (rows["step"] - step).abs().to_numpy()
    return float(rows["value"].to_numpy()[distance.argmin()])


def _sign(own: Values, other: Values, claim: Claim) -> int:
    """1 if it holds, -1 if it fails, 0 if the instances do not decide."""
    if np.isnan([own, other]).any():
        return 0
    is_tie = np.isinf(own) & np.isinf(other)  # neither trained: no difference, and not NaN
    differences = np.zeros_like(own)
    np.subtract(own, other, out=differences, where=~is_tie)
    if claim.margin is not None:
        return 0 if is_tie.any() else _nearness(interval(differences), claim.margin)
    low, high = interval(differences if claim.is_ == "above" else -differences)
    return 1 if low > 0.0 else -1 if high < 0.0 or low == high else 0


def _nearness(range_: tuple[float, float], margin: float) -> int:
    low, high = range_
    if -margin < low and high < margin:
        return 1
    return -1 if low >= margin or high <= -margin else 0


def _verdict(signs: Sequence[int], quorum: int) -> Verdict:
    if signs.count(1) >= quorum:
        return "held"
    return "did not hold" if signs.count(1) + signs.count(0) < quorum else "undecided"
