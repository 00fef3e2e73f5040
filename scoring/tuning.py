"""The cost of tuning and the sensitivity to hyperparameters, from a prepared results frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from scoring.times import Array

MOST_SHOWN = 64
"""Maximum number of trial counts for which the best is computed; beyond it they are spaced
geometrically."""


def best_after_trials(frame: pd.DataFrame) -> pd.DataFrame:
    """The expected best time after k of an entry's trials on a workload (Dodge et al. 2019).

    Over all choices of k out of its n trials: the mean of the smallest time, with a trial that did
    not reach the target counted as its budget, and the fraction of choices that reach it. Computed
    for every k if there are at most `MOST_SHOWN` trials, otherwise for that many k. Columns:
    column, entry, trials (k), expected_s, fraction_reached.
    """
    rows = [
        {"column": column, "entry": entry, **line}
        for (column, entry), part in frame.groupby(["column", "entry"])
        for line in _expected_best(_times(part), float(part["budget_s"].max()))
    ]
    return pd.DataFrame(
        rows, columns=["column", "entry", "trials", "expected_s", "fraction_reached"]
    )


def _times(part: pd.DataFrame) -> Array:
    is_reached = part["state"].eq("reached")
    times = part["time_to_target_s"].astype(float).where(is_reached, np.inf).fillna(np.inf)
    return np.asarray(times, dtype=np.float64)


def _expected_best(times: Array, budget_s: float) -> Iterator[dict[str, float]]:
    sorted_times = np.sort(times)
    n = len(sorted_times)
    at_budget = np.where(np.isfinite(sorted_times), sorted_times, budget_s)
    for k in _trial_numbers(n):
        weights = _weights(n, k)
        yield {
            "trials": k,
            "expected_s": float(weights @ at_budget),
            "fraction_reached": float(weights @ np.isfinite(sorted_times)),
        }


def _trial_numbers(n: int) -> list[int]:
    """The values of k, out of n trials, for which the best is computed."""
    if n <= MOST_SHOWN:
        return list(range(1, n + 1))
    return [int(k) for k in np.unique(np.rint(np.geomspace(1, n, MOST_SHOWN)))]


def _weights(n: int, k: int) -> Array:
    """The probability that the i-th smallest of n is the smallest of k drawn: (n,).

    The other k - 1 must all be larger: C(n - i, k - 1) / C(n, k). Binomials of a thousand trials
    overflow a float, but ratios of successive probabilities do not.
    """
    i = np.arange(1, n)
    ratios = np.maximum(n - i - k + 1, 0) / (n - i)
    return np.asarray(k / n * np.concatenate([[1.0], np.cumprod(ratios)]))


def sensitivity(frame: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation of the time to target with each hyperparameter.

    Trials that did not reach the target rank after all that did. Covers numeric hyperparameters
    with at least two values over at least four trials. Columns: entry, column, hyperparameter,
    trials, correlation, smallest and largest value among the faster half.
    """
    rows = []
    for (entry, column), part in frame.groupby(["entry", "column"]):
        times = _times(part)
        # Twice the longest budget instead of infinity, as rank correlation needs finite numbers.
        rank_times = np.where(np.isfinite(times), times, 2 * float(part["budget_s"].max()))
        for name, values in _hyperparameters(part):
            if len(part) < 4 or len(np.unique(values)) < 2 or len(np.unique(rank_times)) < 2:
                continue
            fast = values[rank_times <= np.median(rank_times)]
            rows.append(
                {
                    "entry": entry, "column": column, "hyperparameter": name, "trials": len(part),
                    "correlation": float(spearmanr(values, rank_times).statistic),
                    "fast_low": float(fast.min()), "fast_high": float(fast.max()),
                }
            )  # fmt: skip
    columns = [
        "entry", "column", "hyperparameter", "trials", "correlation", "fast_low", "fast_high",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _hyperparameters(part: pd.DataFrame) -> Iterator[tuple[str, Array]]:
    if "point" not in part.columns:
        return
    points = list(part["point"])
    for name in sorted(set().union(*points)):
        values = [point.get(name) for point in points]
        if all(isinstance(value, int | float) for value in values):
            yield name, np.array(values, dtype=float)
