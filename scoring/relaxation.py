"""Sensitivity to the target: scores and ranks with the target moved by up to 10 %."""

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
    reached = frame[frame["state"] == "reached"]
    return bool((reached["timed_s"] >= 0.97 * reached["budget_s"]).all())


def relaxation_curve(frame: pd.DataFrame, curves: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """Score and rank of each entry as a function of the target's shift.

    A trial's time at a shifted target is its first evaluation within the budget that meets it.
    Targets harder than the declared one need trials recorded to the end of their budget; without
    them only easier ones are included. Columns: easier_by, submission, score, rank.

    Args:
        frame: prepared results (`scoring.frame.prepare`).
        curves: curves of these results.
        rules: the scoring rules.
    """
    fractions = FRACTIONS if runs_to_the_end(frame) else tuple(s for s in FRACTIONS if s >= 0)
    parts = []
    for fraction in fractions:
        board = score_times(
            times_of(shift_target(frame, curves, fraction), CLOCKS["seconds"]), rules
        )
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


def shift_target(frame: pd.DataFrame, curves: pd.DataFrame, easier_by: float) -> pd.DataFrame:
    """The results under a target made easier by a fraction of its absolute value."""
    sign = frame["direction"].map({"maximize": 1.0, "minimize": -1.0})
    bound = sign * frame["target"] - easier_by * frame["target"].abs()
    targets = pd.DataFrame({"metric": frame["metric"], "sign": sign, "bound": bound})
    targets[["identity", "budget_s"]] = frame[["identity", "budget_s"]]
    evaluations = curves[curves["split"] == "validation"].merge(targets, on=["identity", "metric"])
    is_met = evaluations["sign"] * evaluations["value"].astype(float) >= evaluations["bound"]
    is_in_time = (
        evaluations["time_s"] <= evaluations["budget_s"]
    )  # the last evaluation is after the budget
    first = evaluations[is_met & is_in_time].groupby("identity")["time_s"].min()
    hit = frame["identity"].map(first)
    # An invalid trial has no time, whatever its curve shows.
    valid = frame["state"].ne("invalid") & hit.notna()
    return frame.assign(
        time_to_target_s=hit.where(valid, np.inf),
        last_miss_s=np.nan,
        state=frame["state"].where(~valid, "reached").where(valid, "budget"),
    )
