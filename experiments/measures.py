"""The measure of each trial, its scale, and each entry's best point.

A trial that did not train to its end (`diverged`, `crashed`, ...) has the worst possible measure,
whatever it had reached before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.frame import point_text
from experiments.spec import Measure
from experiments.trials import PlacedTrial
from harness.plan.trial import TrialRecord

TRAINED = ("budget", "reached")
Values = npt.NDArray[np.float64]


def trials_frame(
    placed_trials: Sequence[PlacedTrial],
    records: Sequence[TrialRecord],
    evaluations: pd.DataFrame,
    measure: Measure,
) -> pd.DataFrame:
    """One row per trial: its place, its swept values, state, steps, and the measure as `value`."""
    of_metric = evaluations[evaluations["metric"] == measure.metric].sort_values("step")
    by_step = of_metric.set_index("step")
    by_trial = dict(list(by_step.groupby(["entry", "variant", "instance", "point"])["value"]))
    rows = []
    for each, record in zip(placed_trials, records, strict=True):
        point = point_text(each.swept)
        values = by_trial.get((each.entry, each.trial.variant, each.instance, point))
        result = record.result
        rows.append(
            {
                "entry": each.entry,
                "submission": each.trial.submission.name,
                "variant": each.trial.variant,
                "instance": each.instance,
                "point": point,
                **each.swept,
                "state": result.state if result else "unfinished",
                "steps": result.steps if result else 0,
                "timed_s": result.timed_s if result else float("nan"),
                "value": _number(values, measure, result.state if result else "unfinished"),
            }
        )
    frame = pd.DataFrame(rows)
    # of several orders of examples, whose values are their mean, one that failed speaks for all
    failed_first = frame["state"].isin(TRAINED).sort_values(kind="stable").index
    first = frame.loc[failed_first].drop_duplicates(["entry", "variant", "instance", "point"])
    return first.sort_index().reset_index(drop=True)


def on_scale(values: Sequence[float] | Values | pd.Series[float], measure: Measure) -> Values:
    """The values as they are compared and averaged: logarithms, if the measure's scale is `log`.

    The logarithm of 0 is minus infinity, without a warning.
    """
    numbers: Values = np.asarray(values, dtype=float)
    if measure.scale == "linear":
        return numbers
    with np.errstate(divide="ignore"):
        logarithms: Values = np.log(numbers)
    return logarithms


def mean(values: Sequence[float] | Values | pd.Series[float], measure: Measure) -> float:
    """The mean over instances, geometric on a logarithmic scale."""
    middle = on_scale(values, measure).mean()
    return float(np.exp(middle) if measure.scale == "log" else middle)


def best_points(trials: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The trials of each entry at its best point, by the mean on the measure's scale.

    There is one point per variant or, if the measure asks for it, a single one for all variants.
    """
    values = trials.assign(value=on_scale(trials["value"], measure))
    means = values.groupby(["entry", "variant", "point"], sort=False)["value"].mean()
    ranks = means.groupby(["entry", "variant"], sort=False).rank(ascending=measure.is_lower_better)
    keys = ["entry"] if measure.shared_point else ["entry", "variant"]
    scores = ranks.groupby([*keys, "point"], sort=False).mean()
    best = scores.sort_values(kind="stable").reset_index().drop_duplicates(keys)
    return trials.merge(best[[*keys, "point"]], on=[*keys, "point"])


def crossing(values: pd.Series[float], target: float, *, rises: bool) -> float:
    """Where the values first cross the target, interpolated linearly; infinite if they never do.

    Args:
        values: by steps or seconds, in ascending order.
        target: the value to cross.
        rises: whether the target is met from below.
    """
    is_met = values >= target if rises else values <= target
    if not is_met.any():
        return math.inf
    place = int(is_met.to_numpy().argmax())
    places, numbers = values.index.to_numpy(dtype=float), values.to_numpy()
    if place == 0 or not math.isfinite(numbers[place - 1]):
        return float(places[place])
    ends = slice(place - 1, place + 1)
    part = (target - numbers[ends][0]) / (numbers[ends][1] - numbers[ends][0])
    return float(places[ends][0] + part * (places[ends][1] - places[ends][0]))


def _number(values: pd.Series[float] | None, measure: Measure, state: str) -> float:
    """The measure of a trial's values, indexed by step in ascending order."""
    if values is None or state not in TRAINED:
        return _worst(measure)
    if measure.target is not None:
        return crossing(values, measure.target, rises=measure.direction == "maximize")
    if measure.at == "end":
        number = float(values.iloc[-1])
    else:
        number = float(values.min() if measure.is_lower_better else values.max())
    return _worst(measure) if math.isnan(number) else number


def _worst(measure: Measure) -> float:
    """The measure of a trial that did not train."""
    return math.inf if measure.is_lower_better else -math.inf
