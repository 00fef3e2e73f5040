"""What to say of results in which no trial reached its target: a score would be a row of zeros."""

from __future__ import annotations

import pandas as pd

ADVICE = (
    "There is nothing to score yet. If the curves were still rising (`harness report OUT`), the "
    "budget may not fit this machine: `harness doctor --measure` on an idle one, then run into "
    "another folder. If they were flat, the search space holds no good point: widen space.toml, or "
    "look whether `adamw` reaches the target here."
)


def nothing_reached(frame: pd.DataFrame) -> str:
    """Say that no trial of a results frame reached its target, and how near each workload came.

    Returns:
        the sentences, or "" if some trial did.
    """
    if frame.empty or frame["state"].eq("reached").any():
        return ""
    groups = frame.groupby(["workload", "variant"], sort=True)
    lines = [_nearest(str(name), part) for (name, _), part in groups]
    return "\n".join(["No trial reached its target.", *lines, ADVICE])


def _nearest(workload: str, trials: pd.DataFrame) -> str:
    """A workload's best trial, in one line."""
    first = trials.iloc[0]
    target = f"{first['metric']} {first['target']:.4g}"
    ranked = trials.dropna(subset=["best_metric"]).sort_values(
        "best_metric", ascending=first["direction"] == "minimize"
    )
    counted = f"  {workload}, target {target}: 0 of {len(trials)} trials"
    if ranked.empty:
        return f"{counted}, none of which was evaluated"
    best = ranked.iloc[0]
    return (
        f"{counted}; nearest is {best['submission']} with {best['best_metric']:.4g} "
        f"after {best['timed_s']:.3g} s"
    )
