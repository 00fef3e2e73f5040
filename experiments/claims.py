"""What the measurements say of each claim: held, did not hold, undecided, or not tested.

A claim compares an entry's measure, at its best point on each variant, with a bound or with another
entry's on the same instances. On a variant it holds, or fails, where the 95 % t-interval of the
mean difference over instances lies on one side; a single instance is taken at its value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import t

from experiments.measures import best_points
from experiments.spec import Claim, Measure, Settings

Verdict = Literal["held", "did not hold", "undecided", "not tested"]
LEVEL = 0.95


@dataclass(frozen=True)
class Finding:
    """A claim with its verdict and the numbers behind it."""

    claim: Claim
    verdict: Verdict
    evidence: str


def findings(
    claims: Sequence[Claim], trials: pd.DataFrame, measure: Measure
) -> tuple[Finding, ...]:
    """A finding for each claim.

    Args:
        claims: as the experiment declares them.
        trials: all trials with their measure, see `experiments.measures`.
        measure: by which an entry's best point is chosen.
    """
    return tuple(
        _finding(claim, best_points(_held_at(trials, claim.at), measure)) for claim in claims
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % t-interval of the mean; of a single value, or with infinite ones, their range."""
    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 2 or not np.isfinite(numbers).all():
        return float(numbers.min()), float(numbers.max())
    half = t.ppf(0.5 + LEVEL / 2, len(numbers) - 1) * numbers.std(ddof=1) / math.sqrt(len(numbers))
    return float(numbers.mean() - half), float(numbers.mean() + half)


def _held_at(trials: pd.DataFrame, values: Settings) -> pd.DataFrame:
    """The trials at these values of what is swept, and those of entries that do not sweep it."""
    for name, value in values.items():
        trials = trials[(trials[name] == value) | trials[name].isna()]
    return trials


def _finding(claim: Claim, best: pd.DataFrame) -> Finding:
    if claim.untested:
        return Finding(claim, "not tested", claim.untested)
    table = best.pivot(index="instance", columns=["entry", "variant"], values="value")
    variants = list(dict.fromkeys(best["variant"]))
    signs, texts = [], []
    for variant in variants:
        own = table[claim.entry, variant].to_numpy()
        other = table[claim.than, variant].to_numpy() if claim.than else np.float64(claim.bound)
        signs.append(_sign(own, other, claim))
        against = f" against {np.mean(other):.3g}" if claim.than else ""
        texts.append(f"{variant}: {np.mean(own):.3g}{against}")
    return Finding(claim, _verdict(signs, claim.on or len(variants)), "; ".join(texts))


def _sign(own: np.ndarray, other: np.ndarray | np.float64, claim: Claim) -> int:
    """1 where it holds, -1 where it fails, 0 where the instances do not decide."""
    side = 1.0 if claim.is_ == "above" else -1.0
    is_tie = np.isinf(own) & np.isinf(other)  # neither trained: no difference, and not NaN
    differences = np.zeros_like(own)
    np.subtract(own, other, out=differences, where=~is_tie)
    differences *= side
    low, high = interval([float(each) for each in differences])
    return 1 if low > 0.0 else -1 if high < 0.0 or low == high else 0


def _verdict(signs: Sequence[int], needed: int) -> Verdict:
    if signs.count(1) >= needed:
        return "held"
    return "did not hold" if signs.count(1) + signs.count(0) < needed else "undecided"
