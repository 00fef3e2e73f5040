"""Performance profiles and scores from arrays of times.

The last two axes of every array are (entries, workloads); leading axes are resamples.

A profile is rho(tau) = the fraction of workloads whose ratio to the best is at most tau; the score
is its integral from 1 to tau_max, divided by tau_max - 1 (Dolan and More 2002; Dahl et al. 2023).
"""

from __future__ import annotations

import numpy as np

from scoring.rules import Rules
from scoring.times import Array


def median_times(times: Array) -> Array:
    """The median over the last axis, ignoring NaNs; infinite if there are no values.

    The median of an even number of values is the mean of the middle two, infinite if either is.
    """
    sorted_times = np.sort(times, axis=-1)
    count = (~np.isnan(sorted_times)).sum(axis=-1, keepdims=True)
    low = np.take_along_axis(sorted_times, np.maximum((count - 1) // 2, 0), axis=-1)
    high = np.take_along_axis(sorted_times, np.minimum(count // 2, times.shape[-1] - 1), axis=-1)
    middle = np.where(count % 2 == 1, low, (low + high) / 2)
    return np.where(count == 0, np.inf, middle)[..., 0]


def settle_missing(times: Array, rules: Rules) -> Array:
    """Handle missing studies (NaN) according to the rules; (..., S, W, K).

    A missing study counts as not reached only if some other entry has it.
    """
    if rules.missing == "drop":
        return times
    has_study = ~np.isnan(times).all(axis=-3, keepdims=True)
    return np.where(np.isnan(times) & has_study, np.inf, times)


def base_workloads(workloads: tuple[str, ...], rules: Rules) -> tuple[str, ...]:
    """The workloads that a score averages over, whether or not the table contains them."""
    if rules.base:
        return rules.base
    return tuple(name for name in workloads if name not in rules.held_out)


def times_by_rules(medians: Array, workloads: tuple[str, ...], rules: Rules) -> Array:
    """The base workloads' times after applying the rules on held-out variants and slow entries.

    In this order: a held-out variant is not reached if its base is not; a time over `cutoff`
    times the best of its column is not reached; a base is not reached if its variant is not.

    Args:
        medians: median times, (..., S, W).
        workloads: the columns of `medians`, W names.
        rules: give the held-out variants and `cutoff`.

    Returns:
        Times, (..., S, B), with columns `base_workloads(workloads, rules)`.
    """
    base = base_workloads(workloads, rules)
    pairs = [(name, of) for name, of in rules.held_out.items() if of in base]
    names = (*base, *(name for name, _ in pairs))
    times = np.full((*medians.shape[:-1], len(names)), np.inf)
    for column, name in enumerate(names):
        if name in workloads:
            times[..., column] = medians[..., workloads.index(name)]
    where = {name: column for column, name in enumerate(names)}
    for name, of in pairs:
        times[np.isinf(times[..., where[of]]), where[name]] = np.inf
    with np.errstate(invalid="ignore"):
        times[times > rules.cutoff * times.min(axis=-2, keepdims=True)] = np.inf
    for name, of in pairs:
        times[np.isinf(times[..., where[name]]), where[of]] = np.inf
    return times[..., : len(base)]


def ratios_to_best(times: Array) -> Array:
    """Each time over its column's best: infinite if not reached, 1 if equal to the best."""
    best = times.min(axis=-2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = times / best
    return np.where(np.isinf(times), np.inf, np.where(times == best, 1.0, ratios))


def integrate(ratios: Array, rules: Rules) -> Array:
    """The score of each entry: (..., S, B) to (..., S).

    The exact contribution of a workload with ratio r is max(0, (tau_max - r) / (tau_max - 1)). The
    trapezoid rule integrates the step function 1[r <= tau] sampled at the points.
    """
    if rules.quadrature.rule == "exact":
        with np.errstate(invalid="ignore"):
            fraction = (rules.tau_max - ratios) / (rules.tau_max - 1)
        return np.asarray(np.maximum(fraction, 0.0).mean(axis=-1))
    points = rules.quadrature.points
    grid = np.linspace(1.0, rules.tau_max, points)
    first = np.searchsorted(grid, ratios, side="left")
    steps = points - 1 - np.arange(points + 1) + np.where(np.arange(points + 1) > 0, 0.5, 0.0)
    steps[points] = 0.0
    return np.asarray((steps[first] / (points - 1)).mean(axis=-1))


def score_medians(medians: Array, workloads: tuple[str, ...], rules: Rules) -> Array:
    """Scores of median times: (..., S, W) to (..., S)."""
    return integrate(ratios_to_best(times_by_rules(medians, workloads, rules)), rules)


def profile(ratios: Array, taus: Array) -> Array:
    """The fraction of workloads with ratio at most tau: (S, B) and (T,) to (S, T)."""
    return np.asarray((ratios[:, :, None] <= taus).mean(axis=1))
