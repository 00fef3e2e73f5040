"""Sensitivity to the target: scores and ranks with the target shifted by up to 10 %."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scoring.clock import CLOCKS
from scoring.pool import ranks_of
from scoring.rules import Rules
from scoring.scoreboard import score_times
from scoring.studies import times_of

FRACTIONS = tuple(round(fraction, 3) for fraction in np.linspace(-0.10, 0.10, 21))
"""Relative shifts that make the target easier; negative ones make it harder."""


def runs_to_the_end(frame: pd.DataFrame) -> bool:
    """Whether every trial continued to the end of its budget (stop rule `budget`)."""
    hit_trials = frame[frame["state"] == "reached"]
    return bool((hit_trials["timed_s"] >= 0.97 * hit_trials["budget_s"]).all())


def relaxation_curve(frame: pd.DataFrame, curves: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Score and rank of each entry as a function of the target's shift.

    A trial's time to a shifted target is that of its first evaluation within the budget that meets
    it, or, under rules that interpolate, the crossing between that and the previous one. Targets
    harder than the declared one need trials recorded to the end of their budget; without such
    trials only easier targets are included. Columns: easier_by, submission, score, rank.

    Args:
        frame: prepared results (`scoring.frame.prepare`).
        curves: curves of these results.
        rules: how trials become studies, times and scores.
    """
    fractions = FRACTIONS if runs_to_the_end(frame) else tuple(s for s in FRACTIONS if s >= 0)
    evaluations = evaluations_of(frame, curves)
    parts = []
    for fraction in fractions:
        later_times = shift_target(frame, evaluations, fraction, rules)
        board = score_times(times_of(later_times, CLOCKS["seconds"]), rules)
        parts.append(
            pd.DataFrame(
                {
                    "easier_by": fraction,
                    "submission": board.times.submissions,
                    "score": board.scores,
                    "rank": ranks_of(board.scores),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def shift_target(
    frame: pd.DataFrame, evaluations: pd.DataFrame, easier_by: float, rules: Rules
) -> pd.DataFrame:
    """The results for a target made easier by a fraction of its absolute value.

    Args:
        frame: results, one row per trial.
        evaluations: those of `evaluations_of`.
        easier_by: the fraction; negative for a harder target.
        rules: which time counts, the crossing or the hit.
    """
    first = _first_at_target(evaluations, easier_by)
    time = "crossing_s" if rules.time == "crossing" else "time_s"
    times, hits, misses = (
        frame["identity"].map(first[name]) for name in (time, "time_s", "before_s")
    )
    # An invalid trial has no time, whatever its curve shows.
    valid = frame["state"].ne("invalid") & hits.notna()
    return frame.assign(
        time_to_target_s=times.where(valid, np.inf),
        last_miss_s=misses.where(valid),
        hit_s=hits.where(valid),
        state=frame["state"].where(~valid, "reached").where(valid, "budget"),
    )


def evaluations_of(frame: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The evaluations of a frame's trials in order of time, each with the previous one.

    `height` is the metric, negated if smaller is better; `bound` is the target with the same sign,
    `size` its absolute value. An evaluation after the budget meets no target.
    """
    sign = frame["direction"].map({"maximize": 1.0, "minimize": -1.0})
    targets = frame[["identity", "metric", "budget_s"]].assign(
        sign=sign, bound=sign * frame["target"], size=frame["target"].abs()
    )
    evaluations = curves[curves["split"] == "validation"].merge(targets, on=["identity", "metric"])
    evaluations = evaluations.sort_values(["identity", "time_s"], kind="stable")
    evaluations["height"] = evaluations["sign"] * evaluations["value"].astype(float)
    before = evaluations.groupby("identity")[["time_s", "height"]].shift(1)
    evaluations["before_s"], evaluations["before"] = before["time_s"].fillna(0.0), before["height"]
    columns = ["identity", "time_s", "height", "before_s", "before", "bound", "size"]
    return evaluations.loc[evaluations["time_s"] <= evaluations["budget_s"], columns]


def _first_at_target(evaluations: pd.DataFrame, easier_by: float) -> pd.DataFrame:
    """By identity: the first evaluation in time that meets the shifted target, the previous one,
    and the crossing between them, linear in log time.
    """
    bound = evaluations["bound"] - easier_by * evaluations["size"]
    hits = evaluations.assign(bound=bound)[evaluations["height"] >= bound]
    first = hits.drop_duplicates("identity").set_index("identity")
    way = (first["bound"] - first["before"]) / (first["height"] - first["before"])
    crossing = first["before_s"] * (first["time_s"] / first["before_s"]) ** way
    is_known = way.between(0.0, 1.0) & (first["before_s"] > 0.0)
    return first.assign(crossing_s=crossing.where(is_known, first["time_s"]))
