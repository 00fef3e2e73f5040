"""Writes published trials of others as records with origin `imported`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.plan.trial import Result, Trial, TrialRecord
from harness.record.log import EventLog
from harness.record.plan import record_of
from harness.record.schema import End, Evaluation, ImportedBegin
from harness.record.store import EVENTS_FILE, write_record

FINGERPRINT = "published"
"""The fingerprint of a machine that was not published."""


@dataclass(frozen=True)
class PublishedEvaluation:
    """One published evaluation."""

    step: float
    timed_s: float
    value: float


def write_imported(
    store: Path, trial: Trial, evaluations: Sequence[PublishedEvaluation], source: str
) -> Path:
    """Write one trial with its curve, unless it is complete; returns its folder.

    Args:
        store: the folder of all records.
        trial: the trial, as far as it was published.
        evaluations: in the published order; the first that meets the target is the hit.
        source: the file that they were read from.

    Raises:
        HarnessError: the folder cannot be written.
    """
    folder = store / trial.folder
    result = result_of_evaluations(trial, evaluations)
    if record_of(trial, store).result is not None:
        return folder
    (folder / EVENTS_FILE).unlink(missing_ok=True)  # of an import that was interrupted
    write_record(folder, TrialRecord(identity=trial.identity, trial=trial))
    log = EventLog(folder / EVENTS_FILE)
    log.append(ImportedBegin(fingerprint=FINGERPRINT, source=source))
    for evaluation in evaluations:
        log.append(_event(trial, evaluation))
    log.append(End(result=result))
    log.close()
    write_record(folder, TrialRecord(identity=trial.identity, trial=trial, result=result))
    return folder


def _event(trial: Trial, evaluation: PublishedEvaluation) -> Evaluation:
    value = evaluation.value if math.isfinite(evaluation.value) else None
    return Evaluation(
        step=_step(evaluation.step),
        timed_s=evaluation.timed_s,
        examples=None,
        validation={trial.target.metric: value},
    )


def _step(step: float) -> int:
    return int(step) if math.isfinite(step) else 0


def result_of_evaluations(trial: Trial, evaluations: Sequence[PublishedEvaluation]) -> Result:
    """The result of a published trial, from its evaluations."""
    hits = [index for index, e in enumerate(evaluations) if trial.target.is_met_by(e.value)]
    hit = evaluations[hits[0]] if hits else None
    miss = evaluations[hits[0] - 1].timed_s if hits and hits[0] > 0 else 0.0
    finite = [e.value for e in evaluations if math.isfinite(e.value)]
    best = max if trial.target.direction == "maximize" else min
    return Result(
        state="reached" if hit else "budget",
        reason="the target was met" if hit else "the published evaluations end before the target",
        time_to_target_s=hit.timed_s if hit else None,
        last_miss_s=miss if hit else None,
        hit_s=hit.timed_s if hit else None,
        hit_metric=hit.value if hit and math.isfinite(hit.value) else None,
        steps_to_target=_step(hit.step) if hit else None,
        timed_s=max((e.timed_s for e in evaluations), default=0.0),
        steps=_step(max((e.step for e in evaluations), default=0.0)),
        best_metric=best(finite, default=None),
    )
