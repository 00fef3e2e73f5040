"""The message for results in which no trial reached its target: all scores would be zero."""

from __future__ import annotations

import pandas as pd

from harness.core.text import displayable

ADVICE = (
    "There is nothing to score yet. If the curves were still rising (`harness report OUT`), the "
    "budget may not fit this machine: `harness doctor --measure` on an idle one, then run into "
    "another folder. If they were flat, the search space holds no good point: widen space.toml, or "
    "look whether `adamw` reaches the target here."
)


def no_hits_text(frame: pd.DataFrame) -> str:
    """Report that no trial reached its target, and how close each workload came.

    Returns:
        The message, or "" if some trial reached its target.
    """
    if frame.empty or frame["state"].eq("reached").any():
        return ""
    groups = frame.groupby(["workload", "variant"], sort=True)
    lines = [_nearest(displayable(str(name)), part) for (name, _), part in groups]
    return "\n".join(["No trial reached its target.", *lines, ADVICE])


def _nearest(workload: str, trials: pd.DataFrame) -> str:
    """One line about a workload's best trial."""
    first = trials.iloc[0]
    target = f"{displayable(str(first['metric']))} {first['target']:.4g}"
    ranking = trials.dropna(subset=["best_metric"]).sort_values(
        "best_metric", ascending=first["direction"] == "minimize"
    )
    misses = f"  {workload}, target {target}: 0 of {len(trials)} trials"
    if ranking.empty:
        return f"{misses}, none of which was evaluated"
    best = ranking.iloc[0]
    nearest = displayable(str(best["submission"]))
    return (
        f"{misses}; nearest is {nearest} with {best['best_metric']:.4g} "
        f"after {best['timed_s']:.3g} s"
    )
