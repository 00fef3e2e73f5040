"""AlgoPerf's published logs as study times and trial times on its base workloads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from scoring.logs import find_trials, first_hit, study_times
from scoring.measurements import read_measurements
from scoring.rules import Rules, load_rules
from scoring.times import Array, Times, from_table


def read_published(logs: Path) -> tuple[Times, Array]:
    """Study times (S, W, K) of base workloads and the trials behind them (S, W, K, T).

    Trials and studies that were not evaluated count as missed.
    """
    rules = load_rules("algoperf-v0.5")
    table = study_times(logs, rules)
    times = from_table(table[table["workload"].isin(rules.base)])
    times = Times(
        times.submissions, times.workloads, times.studies,
        fill_misses(times.hit), fill_misses(times.hit), times.limit,
    )  # fmt: skip
    return times, _trial_times(logs, rules, times)


def fill_misses(hit: Array) -> Array:
    return np.where(np.isnan(hit), np.inf, hit)


def _trial_times(logs: Path, rules: Rules, times: Times) -> Array:
    rows = []
    for log in find_trials(logs, rules):
        if log.workload not in times.workloads:
            continue
        target = rules.targets[log.workload]
        measurements = read_measurements(log.path, target.metric)
        hit = first_hit(measurements, target) if measurements is not None else None
        place = (log.submission, log.workload, log.study)
        rows.append((*place, log.trial, np.inf if hit is None else hit.time_s))
    frame = pd.DataFrame(rows, columns=["submission", "workload", "study", "trial", "time_s"])
    frame["place"] = frame.groupby(["submission", "workload", "study"]).cumcount()
    times_of_trials = np.full((*times.hit.shape, int(frame["place"].max()) + 1), np.inf)
    for line in frame.itertuples(index=False):
        times_of_trials[
            times.submissions.index(str(line.submission)),
            times.workloads.index(str(line.workload)),
            times.studies.index(str(line.study)),
            int(str(line.place)),
        ] = line.time_s
    return times_of_trials
