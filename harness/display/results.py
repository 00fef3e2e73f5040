"""The result table at the end of a run, and the reasons why trials ended early."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Table

from harness.plan.trial import Trial, TrialRecord
from harness.submission.reference import Scalar
from workloads.targets import BaselineTarget

FLAGGED = "*"
"""Marks flagged trials in the table; a word would leave the points too narrow a column."""
SHOWN_LINES = 6
"""Lines shown of a worker's log: a compiler, for example, reports its error at the end."""


def results_table(records: Sequence[TrialRecord]) -> Table:
    """The result table of a run, at most 80 columns wide."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("study", "trial"):
        table.add_column(name, justify="right")
    table.add_column("state", no_wrap=True)
    for name in ("time (s)", "steps", "best"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("point", overflow="fold")
    names = _searched_names(records)
    for record in records:
        table.add_row(*_row(record, names))
    return table


def _searched_names(records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """The names of the hyperparameters that differ between trials; all of them if none differs."""
    values: dict[str, set[Scalar]] = {}
    for record in records:
        for name, value in record.trial.point.items():
            values.setdefault(name, set()).add(value)
    return tuple(name for name in values if len(values[name]) > 1) or tuple(values)


def _row(record: TrialRecord, names: Iterable[str]) -> tuple[str, ...]:
    trial, result = record.trial, record.result
    place, point = (str(trial.study), str(trial.trial)), _point_text(trial, names)
    if result is None:
        return (*place, "not run", "-", "-", "-", point)
    time = "-" if result.time_to_target_s is None else f"{result.time_to_target_s:.2f}"
    steps = result.steps if result.steps_to_target is None else result.steps_to_target
    best = "-" if result.best_metric is None else f"{result.best_metric:.4g}"
    state = f"{result.state} {FLAGGED}" if result.flags else result.state
    return (*place, state, time, str(steps), best, point)


def _point_text(trial: Trial, names: Iterable[str]) -> str:
    """Hyperparameters as `name=value`, numbers to four significant digits, on few lines."""
    values = ((name, trial.point[name]) for name in names if name in trial.point)
    return " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values
    )


def workloads_table(records: Iterable[Sequence[TrialRecord]]) -> Table:
    """The result table of a run on several workloads, one line per workload."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("workload", no_wrap=True)
    for name in ("trials at target", "studies at target", "time (s)"):
        table.add_column(name, justify="right")
    for each in records:
        studies: dict[int, float] = {}
        for record in each:
            best = studies.get(record.trial.study, math.inf)
            studies[record.trial.study] = min(best, _time_of(record))
        hits = sum(math.isfinite(_time_of(record)) for record in each)
        finished_studies = sum(map(math.isfinite, studies.values()))
        median = statistics.median(studies.values())
        table.add_row(
            each[0].trial.workload,
            f"{hits} of {len(each)}",
            f"{finished_studies} of {len(studies)}",
            f"{median:.2f}" if math.isfinite(median) else "-",
        )
    return table


def _time_of(record: TrialRecord) -> float:
    """Seconds to the target; infinite if it was not reached."""
    time_s = record.result.time_to_target_s if record.result is not None else None
    return math.inf if time_s is None else time_s


def describe_misses(records: Sequence[TrialRecord]) -> str:
    """A remark on how close the best trial came to the target; "" if a trial reached it."""
    results = [record.result for record in records if record.result is not None]
    if not results or any(result.state == "reached" for result in results):
        return ""
    target = records[0].trial.target
    if isinstance(target, BaselineTarget):
        return f"The target is {target}; `harness score` reads the times off the curves."
    ends = [(one.best_metric, one.state) for one in results if one.best_metric is not None]
    pick = max if target.direction == "maximize" else min
    nearest = ""
    if ends:
        value, state = pick(ends)
        is_late = state == "budget" and target.is_met_by(value)
        nearest = f"; the nearest came to {value:.4g}"
        nearest += ", but only after its budget had ended" if is_late else ""
    return f"None of {len(results)} trials reached {target.metric} {target.value:.4g}{nearest}."


def reasons(records: Iterable[TrialRecord]) -> tuple[str, ...]:
    """The distinct reasons why trials ended before target and budget, and their flags."""
    texts: dict[str, str] = {}
    for record in records:
        result = record.result
        if result is not None and result.state not in ("reached", "budget") and result.reason:
            place = f"study {record.trial.study} trial {record.trial.trial}"
            texts.setdefault(result.reason, f"{place}, {result.state}: {result.reason}")
        if result is not None and result.flags:
            what = "; ".join(result.flags)
            place = f"study {record.trial.study} trial {record.trial.trial}"
            texts.setdefault(what, f"{FLAGGED} {place}, flagged: {what}")
    return tuple(texts.values())


def log_end(records: Iterable[TrialRecord], store: Path) -> tuple[str, ...]:
    """The last lines of the worker's log of the first crashed trial; empty if there are none.

    Args:
        records: the trials' records.
        store: the folder of the records.
    """
    for record in records:
        if record.result is None or record.result.state != "crashed":
            continue
        log = store / record.trial.folder / "worker.log"
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        last_lines = [f"  {line}" for line in lines[-SHOWN_LINES:]]
        return (f"the end of {log}:", *last_lines) if last_lines else ()
    return ()
