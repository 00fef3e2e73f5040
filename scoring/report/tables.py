"""A scoreboard as tables: one row per entry, and one row per entry and workload."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scoring.clock import CLOCKS
from scoring.frame import finished_trials
from scoring.profile import median_times, ratios_to_best, settle_missing
from scoring.scoreboard import Scoreboard
from scoring.screening import screening_error
from scoring.studies import steps_beside, study_table
from scoring.times import Array
from scoring.uncertainty import Speedup, Uncertainty

DESCRIPTIVE = (
    "Those of scores describe the draws and do not infer, above all where a miss makes them jump. "
    "Marks of a speed-up: >= and <= bounds, ~ both, because a target was not reached."
)
CONTENTS = (
    "Contents tried: how many versions of its code and space a submission ran here under its name. "
    "The more there were, the more of a good time may be luck."
)
OFF_CLOCK = (
    "Off the clock: set-up + warm-up in seconds, by the referee's clock; neither is in a time."
)
RANGE = "Range: of the score if each time lies anywhere between the last miss and the hit."
SCREENING = "screening: one study is a first look, not a verdict; it gives ratios and no ranks"


def screening_text(board: Scoreboard) -> str:
    """The note on a board of one study: for two or more entries, how often it ranks wrongly."""
    if len(board.scores) < 2:
        return SCREENING
    return f"{SCREENING}; {screening_error(len(board.base_columns))}"


def entry_table(board: Scoreboard, sure: Uncertainty | None = None) -> pd.DataFrame:
    """One row per entry, best first, as formatted strings under the displayed column names."""
    hit_counts = np.isfinite(board.base_times).sum(axis=1)
    return pd.DataFrame(
        [
            {
                "submission": board.times.submissions[row],
                "score": f"{board.scores[row]:.4f}",
                "range": _span(board.ranges[row], 3),
                **(_surety(sure, row) if sure else {}),
                "counts on": f"{hit_counts[row]} of {len(board.base)}",
                **_mark(board, row),
                **_tries(board, row),
            }
            for row in board.order()
        ]
    )


def _mark(board: Scoreboard, row: int) -> dict[str, str]:
    """The column of marks; empty for a table of times, which has no marks."""
    return {"mark": board.marks[board.times.submissions[row]]} if board.marks else {}


def _tries(board: Scoreboard, row: int) -> dict[str, str]:
    """The column of tried contents; empty if no name has tried more than one."""
    if max(board.contents.values(), default=1) < 2:
        return {}
    return {"contents tried": str(board.contents[board.times.submissions[row]])}


def _surety(sure: Uncertainty, row: int) -> dict[str, str]:
    """The columns that need several studies."""
    columns = {
        "interval": _span(sure.score_intervals[row], 3),
        "ranks": rank_text(sure.rank_fractions[row]),
    }
    speedup = sure.speedups[row]
    if any(item is not None for item in sure.speedups):
        columns["speed-up"] = "-" if speedup is None else speedup_text(speedup)
    return columns


def _span(ends: Array, digits: int) -> str:
    return f"{ends[0]:.{digits}f} - {ends[1]:.{digits}f}"


def rank_text(fractions: Array, least: float = 0.05) -> str:
    """Up to three most likely ranks of an entry, each with at least a fraction `least` of draws."""
    likely = sorted(enumerate(fractions, start=1), key=lambda pair: -pair[1])[:3]
    return ", ".join(
        f"{rank}: {fraction:.0%}" for rank, fraction in sorted(likely) if fraction >= least
    )


def speedup_text(item: Speedup) -> str:
    """A factor with its mark and its interval."""
    low, _, high = item.comparison.interval()
    point = f"{item.comparison.mark} {item.factor.overall:.2f}".strip()
    return f"{point} ({low:.2f} - {high:.2f})"


def workload_table(board: Scoreboard, frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per entry and workload: median time, ratio to the best, studies that reached.

    Args:
        board: scores and study times of all entries.
        frame: the scoreboard's prepared results frame; if given, the median steps to target of the
            studies' counting trials and the median untimed seconds of set-up and warm-up are added.
    """
    steps = None if frame is None else _median_steps(board, frame)
    free = {} if frame is None else off_clock_s(frame)
    ratios = ratios_to_best(board.medians)
    rows = []
    for column, workload in enumerate(board.times.workloads):
        for row in board.order():
            studies = board.times.hit[row, column]
            line = {
                "workload": workload,
                "submission": board.times.submissions[row],
                board.clock.table_column: board.medians[row, column],
                "ratio_to_best": ratios[row, column],
                "studies_reached": int(np.isfinite(studies).sum()),
                "studies": int((~np.isnan(studies)).sum()),
            }
            if steps is not None:
                line["steps_to_target"] = steps[row, column]
                setup_s, warm_up_s = free.get((line["submission"], workload), NEITHER)
                line |= {"setup_s": setup_s, "warm_up_s": warm_up_s}
            rows.append(line)
    return pd.DataFrame(rows)


NEITHER = (float("nan"), float("nan"))


def off_clock_s(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[float, float]]:
    """Median seconds of set-up and of warm-up, by entry and column of a prepared frame.

    Over the trials whose times count for their studies, like the times shown beside them.
    """
    trials = finished_trials(frame)
    if trials.empty:
        return {}
    best = study_table(trials, CLOCKS["seconds"])["identity"]
    groups = trials[trials["identity"].isin(best)].groupby(["entry", "column"])
    medians = groups[["setup_s", "warm_up_s"]].median()
    return {
        (str(entry), str(column)): (float(setup_s), float(warm_up_s))
        for (entry, column), (setup_s, warm_up_s) in zip(
            medians.index, medians.to_numpy(dtype=np.float64), strict=True
        )
    }


def off_clock_text(setup_s: float, warm_up_s: float) -> str:
    """Set-up and warm-up, in seconds, such as `2.10 + 0.42`, or `-` if they were not published."""
    parts = (setup_s, warm_up_s)
    if all(map(np.isnan, parts)):
        return "-"
    return " + ".join("-" if np.isnan(s) else f"{s:.{0 if s >= 10.0 else 2}f}" for s in parts)


def _median_steps(board: Scoreboard, frame: pd.DataFrame) -> Array:
    times = steps_beside(finished_trials(frame), board.clock)
    return median_times(settle_missing(times.hit, board.rules))


def trial_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per trial of a prepared frame; `counts` marks the fastest trial of each study."""
    best = set(study_table(frame, CLOCKS["seconds"])["identity"])
    columns = [
        "workload", "variant", "entry", "framework", "study", "trial", "state", "reason",
        "time_to_target_s", "last_miss_s", "hit_s", "steps_to_target", "setup_s", "warm_up_s",
        "timed_s", "steps", "best_metric", "metric", "target", "mark", "identity", "record",
    ]  # fmt: skip
    table = frame[columns].sort_values(
        ["workload", "variant", "entry", "framework", "study", "trial", "identity"]
    )
    return table.assign(counts=table["identity"].isin(best)).reset_index(drop=True)


def number(value: float, digits: int = 4) -> str:
    """Format a number to significant digits: `-` for NaN, `not reached` for infinity."""
    if np.isnan(value):
        return "-"
    if np.isinf(value):
        return "not reached"
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
