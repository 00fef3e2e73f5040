"""The results frame: one row per trial, with everything that scoring needs from a record.

`harness.record.tables.results_frame(store)` builds it from a folder of records, and
`curves_frame(store)` the matching curves; nothing in `scoring` reads records itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from harness.core.errors import HarnessError
from scoring.entries import entry_labels

RESULT_COLUMNS: Mapping[str, str] = {
    "suite": "the suite's name",
    "workload": "the workload's name",
    "variant": "'base' or a held-out variant's name",
    "framework": "the framework's name",
    "devices": "how many devices trained one model",
    "submission": "the submission's name",
    "content_hash": "hash of the submission's content; with the name it is the entry",
    "location": "where the submission lay: a path, or module:Class",
    "ruleset": "'external' or 'self'",
    "ruleset_trials": "trials a study by the suite's ruleset; 0 if the suite is not known here",
    "suite_workloads": "the suite's workloads, joined by ', '; '' if it is not known here",
    "round": "the commitment to the round's seed; '' if there is none",
    "space": "names of the hyperparameters of its point, joined by ', '",
    "study": "the study, counted from 1",
    "trial": "the trial within its study, counted from 1",
    "identity": "SHA-256 of the trial",
    "state": "reached, budget, diverged, crashed, out_of_memory, hung, invalid or unfinished",
    "reason": "the state in words",
    "time_to_target_s": "the crossing of the target; NaN or infinite if there is none",
    "last_miss_s": "the last miss before the hit; the true time lies between the two",
    "hit_s": "the first hit after it; the same as the time to target where others measured",
    "steps_to_target": "the worker's count at the first hit",
    "examples_to_target": "the worker's count at the first hit",
    "setup_s": "seconds of set-up off the clock, until the worker was ready; NaN if not published",
    "warm_up_s": "seconds of warm-up off the clock, likewise",
    "timed_s": "seconds of training on the referee's clock",
    "steps": "steps in all",
    "budget_s": "the trial's budget",
    "best_metric": "the best validation metric seen",
    "metric": "the validation metric's name",
    "target": "the value to reach; NaN where a baseline sets it and has not run",
    "baseline": "the submission that sets the target; '' where the workload declares it",
    "baseline_fraction": "the fraction of the budget up to which the baseline's curves count",
    "direction": "'maximize' or 'minimize'",
    "workload_hash": "hash of the workload's content",
    "hardware": "the machine's fingerprint",
    "threads": "the CPU threads of one device",
    "sandbox": "what confined the worker",
    "versions": "Python's and the packages' versions, as 'name version' joined by '; '",
    "variables": "the environment variables that steer kernels, joined by '; ', or 'none'",
    "harness_hash": "hash of the harness's content",
    "begun_at": "when it began, UTC, ISO 8601",
    "origin": "'measured' or 'imported'",
    "scored": "whether it ran under the suite's own budget",
    "instance_seed": "the instance: equal for all entries, which are compared on it",
    "mark": "its entry's mark, one of `harness.core.marks`",
    "mark_reason": "why it has that mark; '' where nobody said",
    "record": "the trial's folder",
}
"""The columns of a results frame.

All that can move a time and is in a trial's identity or in its beginning is among them, so that
`scoring.mixtures` can tell apart what must not be mixed. What a beginning says, from `hardware` to
`origin`, is '' before a trial has begun and where it was not published.
"""

CURVE_COLUMNS: Mapping[str, str] = {
    "identity": "the trial",
    "time_s": "seconds of training on the referee's clock",
    "step": "the worker's count",
    "fraction": "fraction of the budget spent",
    "split": "'validation'",
    "metric": "the metric's name",
    "value": "the metric's value",
}
"""The columns of a curves frame: one row per evaluation."""


def prepare(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the columns `entry` and `column`, the names used by scores.

    An entry (`scoring.entries`) is named after its submission, with the beginning of its content
    hash if the frame has several contents of that name, and with its framework if the frame has
    several (a published entry counts as one regardless of framework). A column is a workload, or
    `<workload>_<variant>` for a held-out variant.

    Raises:
        HarnessError: a column is missing, or there are no trials.
    """
    missing = [name for name in RESULT_COLUMNS if name not in frame.columns]
    if missing:
        raise HarnessError(
            f"the results lack the column(s) {', '.join(missing)}",
            f"a results frame has: {', '.join(RESULT_COLUMNS)}",
        )
    if frame.empty:
        raise HarnessError(
            "there is no trial to score", "run one first: harness run --workload mlp"
        )
    entry = entry_labels(frame)
    if frame["framework"].nunique() > 1 and not frame["origin"].eq("imported").all():
        entry = entry + " (" + frame["framework"].astype(str) + ")"
    variant = frame["variant"].astype(str)
    column = frame["workload"].astype(str) + ("_" + variant).where(variant != "base", "")
    return frame.assign(entry=entry, column=column)


def held_out_of(frame: pd.DataFrame) -> dict[str, str]:
    """The base workload of each held-out variant in a prepared frame, by the variant's column."""
    variants = frame[frame["variant"] != "base"]
    return dict(zip(variants["column"], variants["workload"].astype(str), strict=True))
