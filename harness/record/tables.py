"""From a store to the frames that `scoring` reads: one row a trial, one row a point of a curve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from harness.core.errors import HarnessError
from harness.plan.trial import Result, TrialRecord
from harness.record.attempts import attempts_of
from harness.record.log import read_events
from harness.record.store import EVENTS_FILE, read_record, record_paths


def results_frame(store: Path) -> pd.DataFrame:
    """All trials of a store; see `scoring.frame` for the columns.

    Raises:
        HarnessError: the folder holds no trial.
    """
    rows = [_row(path) for path in record_paths(store)]
    if not rows:
        raise HarnessError(
            f"no trial lies in {store}", "`harness run --out DIR` writes trials into a folder"
        )
    return pd.DataFrame(rows)


def curves_frame(store: Path) -> pd.DataFrame:
    """All evaluations of a store in long form: identity, time_s, step, split, metric, value."""
    rows = [
        {
            "identity": event_trial.identity,
            "time_s": data["timed_s"],
            "step": data["step"],
            "examples": data["examples"],
            "share": data["timed_s"] / event_trial.trial.budget.runtime_s,
            "split": split,
            "metric": metric,
            "value": value,
        }
        for path in record_paths(store)
        for event_trial in [read_record(path)]
        for data in evaluations(path.parent)
        for split in ("validation", "test", "probe")
        for metric, value in data.get(split, {}).items()
    ]
    columns = ["identity", "time_s", "step", "examples", "share", "split", "metric", "value"]
    return pd.DataFrame(rows, columns=columns)


def last_attempt(folder: Path) -> list[dict[str, Any]]:
    """A trial's events from its last beginning on, as they count; empty if it never began."""
    path = folder / EVENTS_FILE
    attempts = attempts_of(read_events(path)) if path.exists() else []
    return attempts[-1] if attempts else []


class Interval(NamedTuple):
    """What lies between two snapshots of an attempt, or its start and the first one."""

    steps: int
    seconds: float

    @property
    def step_s(self) -> float:
        """Seconds a step."""
        return self.seconds / self.steps


def intervals(events: Iterable[Mapping[str, Any]]) -> list[Interval]:
    """The intervals between an attempt's snapshots in which steps were made."""
    marks = [(0, 0.0)] + [
        (int(event["data"]["step"]), float(event["data"]["timed_s"]))
        for event in events
        if event["kind"] == "snapshot"
    ]
    return [
        Interval(last - first, end_s - start_s)
        for (first, start_s), (last, end_s) in pairwise(marks)
        if last > first
    ]


def evaluations(folder: Path) -> list[dict[str, Any]]:
    """The evaluations of a trial in the order of its training, not of their making."""
    found = [event["data"] for event in last_attempt(folder) if event["kind"] == "evaluation"]
    return sorted(found, key=lambda data: int(data["step"]))


def _row(path: Path) -> dict[str, Any]:
    record, events = read_record(path), last_attempt(path.parent)
    begin = events[0]["data"] if events else {}
    ended = bool(events) and events[-1]["kind"] == "end"
    result = Result.model_validate(events[-1]["data"]["result"]) if ended else None
    return (
        _identity_columns(record)
        | _result_columns(result)
        | {
            "hardware": begin.get("fingerprint", ""),
            "origin": begin.get("origin", ""),
            "files": begin.get("submission_files", ""),
            "attempt": begin.get("attempt", 1),
            "resumed": sum(event["kind"] == "resumed" for event in events),
            "begun_at": events[0]["at"] if events else "",
            "ended_at": events[-1]["at"] if ended else "",
            "record": str(path.parent),
        }
    )


def _identity_columns(record: TrialRecord) -> dict[str, Any]:
    trial = record.trial
    return {
        "suite": trial.suite,
        "workload": trial.workload,
        "variant": trial.variant,
        "framework": trial.framework,
        "submission": trial.submission.name,
        "content_hash": trial.submission.content_hash,
        "ruleset": trial.ruleset,
        "study": trial.study,
        "trial": trial.trial,
        "identity": record.identity,
        "instance_seed": trial.instance_seed,
        "workload_hash": trial.workload_hash,
        "scored": trial.is_scored,
        "budget_s": trial.budget.runtime_s,
        "metric": trial.target.metric,
        "direction": trial.target.direction,
        "target": trial.target.value,
        "point": trial.point,
    }


def _result_columns(result: Result | None) -> dict[str, Any]:
    names = [n for n in Result.model_fields if n not in ("state", "reason", "disturbed")]
    if result is None:
        empty = dict.fromkeys(names, float("nan"))
        words = {"state": "unfinished", "reason": "the trial has not ended", "disturbed": ""}
        return empty | words
    values = result.model_dump()
    numbers = {n: float("nan") if values[n] is None else values[n] for n in names}
    words = {"state": result.state, "reason": result.reason}
    return numbers | words | {"disturbed": "; ".join(result.disturbed)}
