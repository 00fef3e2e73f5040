"""One number a trial, and the point at which each entry does best.

A trial that did not train to its end (`diverged`, `crashed`, ...) has the worst number there is,
whatever it had reached before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from experiments.frame import point_text
from experiments.spec import Measure
from experiments.trials import PlacedTrial
from harness.plan.trial import TrialRecord

TRAINED = ("budget", "reached")


def trials_frame(
    placed: Sequence[PlacedTrial],
    records: Sequence[TrialRecord],
    evaluations: pd.DataFrame,
    measure: Measure,
) -> pd.DataFrame:
    """One row a trial: its place, its swept values, state, steps, and `value`, the measure."""
    of_metric = evaluations[evaluations["metric"] == measure.metric].sort_values("step")
    by_trial = dict(list(of_metric.groupby(["entry", "variant", "instance", "point"])["value"]))
    rows = []
    for each, record in zip(placed, records, strict=True):
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
    return pd.DataFrame(rows)


def best_points(trials: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The trials of each entry at its best point, by the mean over instances.

    That is one point for each variant, or, if the measure says so, one for all of them.
    """
    means = trials.groupby(["entry", "variant", "point"], sort=False)["value"].mean()
    is_low = measure.direction == "minimize"
    ranks = means.groupby(["entry", "variant"], sort=False).rank(ascending=is_low)
    keys = ["entry"] if measure.shared_point else ["entry", "variant"]
    scores = ranks.groupby([*keys, "point"], sort=False).mean()
    chosen = scores.sort_values(kind="stable").reset_index().drop_duplicates(keys)
    return trials.merge(chosen[[*keys, "point"]], on=[*keys, "point"])


def _number(values: pd.Series[float] | None, measure: Measure, state: str) -> float:
    worst = math.inf if measure.direction == "minimize" else -math.inf
    if values is None or state not in TRAINED:
        return worst
    if measure.at == "end":
        number = float(values.iloc[-1])
    else:
        number = float(values.min() if measure.direction == "minimize" else values.max())
    return worst if math.isnan(number) else number
