"""The row of a results frame for one trial, with the columns of `scoring.columns.RESULTS`."""

from __future__ import annotations

from itertools import starmap
from pathlib import Path

from harness.core.errors import UnknownNameError
from harness.machine.hardware import Environment
from harness.plan.trial import Result, Trial, TrialRecord
from harness.providers import registry
from harness.record.attempts import Attempt, final_end
from harness.record.schema import Begin, End, Resumed
from workloads.targets import BaselineTarget


def result_row(folder: Path, record: TrialRecord, attempt: Attempt | None) -> dict[str, object]:
    """The columns that come from the record (`RESULTS.names("record")`).

    Args:
        folder: the record's folder.
        record: the content of `trial.json`.
        attempt: the trial's last attempt; None if none has begun.
    """
    end = final_end(attempt.events) if attempt else None
    result = end.result if end else None
    return {
        **_identity_columns(record),
        **_result_columns(result),
        **_attempt_columns(attempt, has_ended=end is not None),
        **_off_clock_columns(end),
        "beyond": _beyond(record.trial, result),
        "record": str(folder),
    }


def _off_clock_columns(end: End | None) -> dict[str, object]:
    """The untimed seconds of set-up and warm-up, by the referee's clock."""
    clock = (end.clock or {}) if end else {}
    return {name: clock.get(name, float("nan")) for name in ("setup_s", "warm_up_s")}


def _beyond(trial: Trial, result: Result | None) -> str:
    """How a time lies beyond the workload's convergence band; "" if it does not, or there is none.

    The band applies to scored trials at the calibrated target and with the calibrated content.
    """
    if result is None or result.time_to_target_s is None:
        return ""
    if not trial.is_scored or trial.variant != "base":
        return ""
    if trial.workload not in registry.workload_names():
        return ""
    band = registry.band(trial.workload, trial.suite)
    if band is None or band.target != trial.target.value:
        return ""
    if registry.workload(trial.workload).content_hash(trial.suite) != trial.workload_hash:
        return ""
    steps = float("nan") if result.steps_to_target is None else float(result.steps_to_target)
    # the band was calibrated under the workload's own budget, which a ruleset may extend
    budget_factor = registry.suite(trial.suite).rulesets[trial.ruleset].budget_factor
    return band.excess(result.time_to_target_s, steps, trial.budget.runtime_s / budget_factor)


NOT_BEGUN = (
    "hardware", "origin", "files", "begun_at", "ended_at",
    "threads", "sandbox", "versions", "variables", "harness_hash",
)  # fmt: skip
"""The columns that come from the `begin` event."""


def _attempt_columns(attempt: Attempt | None, *, has_ended: bool) -> dict[str, object]:
    empty: dict[str, object] = dict.fromkeys(NOT_BEGUN, "")
    if attempt is None:
        return {**empty, "attempt": 1, "resumed": 0}
    return {
        **empty,
        **_beginning_columns(attempt),
        "attempt": attempt.number,
        "resumed": len(attempt.all(Resumed)),
        "begun_at": attempt.events[0].at,
        "ended_at": attempt.last.at if has_ended else "",
    }


def _beginning_columns(attempt: Attempt) -> dict[str, object]:
    """Hardware, software and settings of an attempt; imported ones did not publish them."""
    begin = attempt.begin
    columns: dict[str, object] = {
        "hardware": begin.fingerprint,
        "origin": begin.origin,
        "files": begin.submission_files,
    }
    if not isinstance(begin, Begin):
        return columns
    variables = begin.environment.variables
    return columns | {
        "threads": str(begin.threads),
        "sandbox": begin.sandbox,
        "versions": _versions_text(begin.environment),
        "variables": "; ".join(starmap("{}={}".format, sorted(variables.items()))) or "none",
        "harness_hash": begin.environment.harness_hash,
    }


def _versions_text(environment: Environment) -> str:
    """Versions of Python and of installed packages; the harness is covered by its content hash."""
    packages = {
        name: version
        for name, version in environment.packages.items()
        if version is not None and name != "guided-descent"
    }
    return "; ".join([f"python {environment.python}", *map(" ".join, sorted(packages.items()))])


def _identity_columns(record: TrialRecord) -> dict[str, object]:
    trial = record.trial
    return _suite_columns(trial) | {
        "suite": trial.suite,
        "workload": trial.workload,
        "variant": trial.variant,
        "framework": trial.framework,
        "devices": trial.devices,
        "submission": trial.submission.name,
        "content_hash": trial.submission.entry_hash,
        "location": trial.submission.location,
        "ruleset": trial.ruleset,
        "round": trial.round_commitment,
        "space": ", ".join(sorted(trial.point)),
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
        **_baseline_columns(trial),
    }


def _baseline_columns(trial: Trial) -> dict[str, object]:
    """The submission whose trials set the target, if the workload does not declare it."""
    if isinstance(trial.target, BaselineTarget):
        return {"baseline": trial.target.baseline, "baseline_fraction": trial.target.fraction}
    return {"baseline": "", "baseline_fraction": float("nan")}


def _suite_columns(trial: Trial) -> dict[str, object]:
    """The requirements of a trial's suite, if the suite is known on this machine."""
    try:
        suite = registry.suite(trial.suite)
    except UnknownNameError:
        return {"ruleset_trials": 0, "suite_workloads": "", "meant_for": ""}
    return {
        "ruleset_trials": suite.rulesets[trial.ruleset].trials,
        "suite_workloads": ", ".join(suite.workloads),
        "meant_for": _meant_for(trial),
    }


def _meant_for(trial: Trial) -> str:
    """The machine of a workload that is meant for a different one from its suite."""
    if trial.workload not in registry.workload_names():
        return ""
    own = registry.workload(trial.workload).at(trial.suite).hardware
    return "" if own is None else own.name


def _result_columns(result: Result | None) -> dict[str, object]:
    words_of = ("state", "reason", "interference", "contention")
    names = [n for n in Result.model_fields if n not in words_of]
    if result is None:
        words = dict.fromkeys(words_of, "")
        words |= {"state": "unfinished", "reason": "the trial has not ended"}
        return {**dict.fromkeys(names, float("nan")), **words}
    values: dict[str, float | None] = result.model_dump(include=set(names))
    numbers = {n: float("nan") if values[n] is None else values[n] for n in names}
    words = {"state": result.state, "reason": result.reason, "contention": result.contention}
    return {**numbers, **words, "interference": "; ".join(result.interference)}
