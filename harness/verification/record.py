"""Check that a trial's files agree: identity, folder, attempts, result."""

from __future__ import annotations

from harness.plan.trial import Result, Trial, TrialRecord
from harness.record.attempts import Attempt, final_end
from harness.record.imported import PublishedEvaluation, result_of_evaluations
from harness.record.schema import AnyBegin, Begin, Evaluation, ImportedBegin, Rerun
from harness.record.store import EVENTS_FILE, TrialFile, TrialLog, record_text
from harness.referee.checks import or_nan
from harness.verification.replay import MismatchError, Replay


def check_file(folder: str, file: TrialFile) -> None:
    """Check a `trial.json`.

    Args:
        folder: the trial's folder, relative to the store.
        file: the file's content.

    Raises:
        MismatchError: names the first mismatch.
    """
    record, name = file.record, file.path.name
    if record.identity != record.trial.identity:
        raise MismatchError(f"{name}: the identity is not the hash of the trial")
    if folder != record.trial.folder:
        raise MismatchError(f"{name}: the trial belongs in {record.trial.folder}")
    if file.content != record_text(record).encode():
        raise MismatchError(f"{name}: not byte for byte as the harness writes a trial")


def check_events(record: TrialRecord, log: TrialLog, *, replays: bool) -> None:
    """Check a trial's events against its record.

    Args:
        record: the content of `trial.json`.
        log: the trial's events.
        replays: whether results are recomputed from the events.

    Raises:
        MismatchError: names the first mismatch.
    """
    trial, attempts = record.trial, log.attempts
    if log.events and not attempts:
        raise MismatchError(f"{EVENTS_FILE}: no event 'begin'")
    if attempts and isinstance(attempts[0].begin, ImportedBegin):
        _check_imported(record, attempts[0], replays=replays)
        return
    before = 0
    for attempt in attempts:
        _check_beginning(trial, attempt.begin, before)
        before = attempt.number
        if (end := attempt.end) is None:
            continue
        if attempt is not attempts[-1] and not isinstance(attempt.last.data, Rerun):
            raise MismatchError(f"attempt {before} has ended and was run again without a rerun")
        if replays:
            _check_equal(Replay(trial, attempt, end).result(), end.result)
    last = log.end
    if record.result is not None and last is None:
        raise MismatchError("trial.json has a result, but the events have no end")
    if record.result is not None and last is not None:
        _check_equal(last.result, record.result)


def _check_beginning(trial: Trial, begin: AnyBegin, before: int) -> None:
    if not isinstance(begin, Begin):
        raise MismatchError(f"the attempt after attempt {before} is imported")
    if begin.identity != trial.identity:
        raise MismatchError(f"attempt {begin.attempt} belongs to another trial")
    if begin.attempt <= before:
        raise MismatchError(f"an attempt is numbered {begin.attempt}; at least {before + 1} is due")
    if begin.fingerprint != begin.hardware.fingerprint:
        raise MismatchError(
            f"attempt {begin.attempt}: the fingerprint is not the hash of the hardware"
        )


def _check_imported(record: TrialRecord, attempt: Attempt, *, replays: bool) -> None:
    end = final_end(attempt.events)
    if end is None:
        raise MismatchError(f"{EVENTS_FILE}: an imported trial without an end")
    if replays:
        metric = record.trial.target.metric
        evaluations = [
            PublishedEvaluation(e.step, e.timed_s, _number(e, metric))
            for e in attempt.all(Evaluation)
        ]
        _check_equal(result_of_evaluations(record.trial, evaluations), end.result)
    if record.result is not None:
        _check_equal(end.result, record.result)


def _number(evaluation: Evaluation, metric: str) -> float:
    if metric not in evaluation.validation:
        raise MismatchError(f"{EVENTS_FILE}: an evaluation without {metric}")
    return or_nan(evaluation.validation[metric])


def _check_equal(result: Result, claim: Result) -> None:
    for name in Result.model_fields:
        ours, theirs = getattr(result, name), getattr(claim, name)
        if ours != theirs:
            raise MismatchError(f"{name} is {theirs!r}; the events say {ours!r}")
