"""Targets set by a baseline, and times to them, for trials that trained for their whole budget.

Randomly drawn architectures and other widths have no calibrated target. Their target is what the
baseline, tuned like every entry, reaches on the same model in the same round by a declared fraction
of the budget:

    v[s, i] = the best value of trial i of its study s, evaluated at that fraction or before
    target  = median over s of (best over i of v[s, i])

As for times, a study counts its best trial, and the median is over studies. A trial's time is then
the first crossing of the target on its curve: between the first evaluation that meets it and the
previous one, interpolated linearly in log time by the metric's values, as the referee does for
known targets (`docs/SCORING.md`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scoring.entries import select_contents
from scoring.refusals import Breach

MODEL = ["suite", "round", "ruleset", "workload", "variant", "baseline", "baseline_fraction"]
"""The columns shared by trials for which a baseline sets one target."""
OUTCOME = (
    "time_to_target_s", "last_miss_s", "hit_s", "steps_to_target", "examples_to_target",
)  # fmt: skip
DISCOUNTED_STATES = ("unfinished", "invalid")
"""States of trials whose curves do not count."""
Changes = dict[Hashable, dict[str, float | str]]
"""New values of a frame's rows, by index and column."""


class Crossing(NamedTuple):
    """A curve's crossing of a target; the fields are columns of `scoring.columns`."""

    time_to_target_s: float
    last_miss_s: float
    hit_s: float
    steps_to_target: float
    examples_to_target: float


def with_baseline_targets(
    frame: pd.DataFrame, curves_of: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """Fill in the targets set by baselines, and the times to them, in a results frame.

    Where the baseline has not run, the target remains NaN (`baseline_breaches`).

    Args:
        frame: results, one row per trial.
        curves_of: returns all evaluations of the same trials (`scoring.columns.CURVES`); called
            only if there is such a target.
    """
    open_trials = frame[frame["baseline"].ne("")]
    if open_trials.empty:
        return frame
    curves = curves_of()
    curves = curves[curves["split"].eq("validation") & curves["value"].notna()]
    by_trial = dict(list(curves.sort_values("time_s").groupby("identity")))
    identities = set(select_contents(frame, ())["identity"])
    changes: Changes = {}
    for _, group in open_trials.groupby(MODEL, sort=True):
        target = baseline_target(group[group["identity"].isin(identities)], by_trial)
        for index, trial in group.iterrows():
            changes[index] = _cross_target(trial, by_trial.get(trial["identity"]), target)
    return _update(frame, changes)


def baseline_target(group: pd.DataFrame, curves: dict[Any, pd.DataFrame]) -> float:
    """The target set by the baseline's trials of a group; NaN if there are none.

    Args:
        group: trials of one model, round and ruleset, of the scored contents only.
        curves: each trial's evaluations, by identity.
    """
    own = group[group["submission"].eq(group["baseline"]) & ~group["state"].isin(DISCOUNTED_STATES)]
    if own.empty:
        return math.nan
    pick = "max" if own["direction"].iloc[0] == "maximize" else "min"
    bests = [_best_until(curves.get(trial["identity"]), trial, pick) for _, trial in own.iterrows()]
    studies = own.assign(best=bests).groupby(["framework", "study"])["best"].agg(pick)
    return float(studies.dropna().median())


def _best_until(curve: pd.DataFrame | None, trial: pd.Series[Any], pick: str) -> float:
    """A trial's best value up to the fraction of the budget at which the baseline counts."""
    if curve is None:
        return math.nan
    is_counted = curve["fraction"].le(trial["baseline_fraction"]) & curve["metric"].eq(
        trial["metric"]
    )
    return float(curve.loc[is_counted, "value"].agg(pick))


def crossing(curve: pd.DataFrame, trial: pd.Series[Any], target: float) -> Crossing | None:
    """The first crossing of a target by a curve within the trial's budget; None if there is none.

    Args:
        curve: the trial's evaluations in order of time.
        trial: its row of the results frame.
        target: the value of the metric to reach.
    """
    curve = curve[curve["metric"].eq(trial["metric"])]
    values, times = curve["value"].to_numpy(float), curve["time_s"].to_numpy(float)
    meets = values >= target if trial["direction"] == "maximize" else values <= target
    hits = np.flatnonzero(meets & (times <= trial["budget_s"]))
    if not hits.size:
        return None
    hit = int(hits[0])
    row = curve.iloc[hit]
    ends = {
        "hit_s": times[hit],
        "steps_to_target": float(row["step"]),
        "examples_to_target": float(row["examples"]),
    }
    if hit == 0 or times[hit - 1] <= 0.0:
        return Crossing(time_to_target_s=times[hit], last_miss_s=0.0, **ends)
    miss_s, miss = times[hit - 1], values[hit - 1]
    way = (target - miss) / (values[hit] - miss)
    time_s = miss_s * math.exp(way * math.log(times[hit] / miss_s))
    return Crossing(time_to_target_s=min(time_s, times[hit]), last_miss_s=miss_s, **ends)


def _cross_target(
    trial: pd.Series[Any], curve: pd.DataFrame | None, target: float
) -> dict[str, float | str]:
    """The changes in a trial's row once the target is known."""
    if math.isnan(target) or trial["state"] in DISCOUNTED_STATES or curve is None:
        return {"target": target}
    hit = crossing(curve, trial, target)
    if hit is None:
        return {"target": target}
    return {"target": target, "state": "reached", "reason": "target met", **hit._asdict()}


def _update(frame: pd.DataFrame, changes: Changes) -> pd.DataFrame:
    frame = frame.copy()
    for name in ("target", *OUTCOME):
        frame[name] = frame[name].astype(float)
    for index, values in changes.items():
        for name, value in values.items():
            frame.at[index, name] = value
    return frame


def baseline_breaches(frame: pd.DataFrame) -> Iterator[Breach]:
    """A breach for each model without a target."""
    is_unset = frame["baseline"].ne("") & frame["target"].isna()
    for (column, baseline), _ in frame[is_unset].groupby(["column", "baseline"]):
        yield Breach("missing-baselines", f"no trial of {baseline} sets a target on {column}")
