"""Published AlgoPerf logs as study times.

    <submission>/study_<k>/<workload>_<framework>/trial_<n>/eval_measurements.csv

Only the required columns are read: the target's metric, `score` (submission time) and
`global_step`. Folders with another layout, and workloads without a target, are skipped.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from harness.core.errors import HarnessError
from scoring.measurements import Measurements, read_measurements
from scoring.rules import Rules, RuleTarget

FILE = "eval_measurements.csv"


class TrialLog(NamedTuple):
    """The location of a trial's evaluations."""

    submission: str
    workload: str
    study: str
    framework: str
    trial: int
    path: str


class Hit(NamedTuple):
    """The first evaluation of a trial that meets the target."""

    row: int
    time_s: float
    step: float


def study_times(logs: Path, rules: Rules) -> pd.DataFrame:
    """The table of study times from a folder of logs.

    A study's time is that of its trial with the smallest evaluation index at the target (ties
    broken by time) or, depending on the rules, with the smallest time; infinite if none reaches the
    target; NaN if none was evaluated. Columns: submission, workload, study, time_to_target_s,
    step_at_target.

    Raises:
        HarnessError: the folder contains no such logs, or a file lacks the time column.
    """
    by_index = rules.best_trial == "evaluation"
    studies: dict[tuple[str, str, str], tuple[float, float, float]] = {}
    for log in find_trials(logs, rules):
        key = (log.submission, log.workload, log.study)
        best = studies.setdefault(key, (math.inf, math.nan, math.nan))
        measurements = read_measurements(log.path, rules.targets[log.workload].metric)
        if measurements is None:
            continue
        hit = first_hit(measurements, rules.targets[log.workload])
        if hit is None:
            result = (math.inf, math.inf, math.nan)
        else:
            result = (float(hit.row) if by_index else hit.time_s, hit.time_s, hit.step)
        studies[key] = min(best, result, key=_order)
    if not studies:
        raise _no_logs_error(logs, rules)
    rows = [(*key, best[1], best[2]) for key, best in sorted(studies.items())]
    columns = ["submission", "workload", "study", "time_to_target_s", "step_at_target"]
    return pd.DataFrame(rows, columns=columns)


def _order(trial: tuple[float, float, float]) -> tuple[float, bool, float]:
    """Sort key: earliest hit, then smaller time; trials that were not evaluated come last."""
    return trial[0], math.isnan(trial[1]), trial[1]


def first_hit(measurements: Measurements, target: RuleTarget) -> Hit | None:
    """The first evaluation that meets the target; NaN never does."""
    sign = 1.0 if target.direction == "maximize" else -1.0
    bound = sign * target.value
    for row, value in enumerate(measurements.metric):
        if sign * value >= bound:
            return Hit(row, measurements.times_s[row], measurements.steps[row])
    return None


def find_trials(logs: Path, rules: Rules) -> Iterator[TrialLog]:
    """Every trial folder of every workload with a target, sorted by name."""
    for submission in _folders(str(logs), ""):
        for study in _folders(submission.path, "study_"):
            for place in _folders(study.path, ""):
                workload, _, framework = place.name.rpartition("_")
                if workload not in rules.targets:
                    continue
                for trial in _folders(place.path, "trial_"):
                    number = trial.name.removeprefix("trial_")
                    if number.isdecimal():
                        yield TrialLog(
                            submission.name, workload, study.name, framework, int(number),
                            f"{trial.path}/{FILE}",
                        )  # fmt: skip


def _folders(path: str, prefix: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            folders = [
                entry for entry in entries if entry.name.startswith(prefix) and entry.is_dir()
            ]
    except OSError as error:
        raise HarnessError(
            f"cannot read the logs {path}: {error.strerror}", "give a folder of submissions"
        ) from error
    return sorted(folders, key=lambda entry: entry.name)


def _no_logs_error(logs: Path, rules: Rules) -> HarnessError:
    if not rules.targets:
        return HarnessError(
            "the rules have no targets, which an import needs",
            'add [targets.WORKLOAD] with metric, direction and value, or use "algoperf-v0.5"',
        )
    deeper = sorted({str(path.parent.parent) for path in logs.glob("*/*/study_*")})
    return HarnessError(
        f"there is no trial of a known workload under {logs}",
        f"try {deeper[0]}" if deeper else "expected: SUBMISSION/study_K/WORKLOAD_FRAMEWORK/trial_N",
    )
