"""Describe a trial's events, a submission and a workload in words, for a site."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.bundles import code_of, is_code_of
from harness.cli.site_samples import samples_of
from harness.core.errors import HarnessError
from harness.plan.trial import Trial
from harness.providers import registry
from harness.record.attempts import Attempt
from harness.record.log import Event
from harness.record.schema import (
    Begin,
    CheckpointWritten,
    End,
    EventData,
    ImportedBegin,
    Ready,
    Resumed,
    StepProfile,
    Warm,
    WorkerFailed,
)
from harness.submission.files import read_folder
from harness.submission.reference import SubmissionRef
from harness.submission.space import parse_space

if TYPE_CHECKING:
    from scoring.site.material import EntryDetail, Facts, TrialDetail, WorkloadDetail

LONGEST_VALUE = 2000


def trial_detail(trial: Trial, attempt: Attempt | None) -> TrialDetail:
    """The fields of a record that are not in a column, by section."""
    from scoring.site.material import TrialDetail

    sections: dict[str, Facts] = {"As planned": _plan_facts(trial)}
    if attempt is None:
        return TrialDetail(sections)
    numbers = dict(_numbers(attempt))
    sections |= {
        "Attempt": _beginning(attempt),
        "Off the clock": {what: f"{value:.4g}" for what, value in numbers.items()},
        "Clock (s)": _clock(attempt),
    }
    for title, kind in (("Failure", WorkerFailed), ("Time of a step", StepProfile)):
        for data in attempt.all(kind):
            sections[title] = _facts(data)
    return TrialDetail({title: facts for title, facts in sections.items() if facts}, numbers)


def _plan_facts(trial: Trial) -> Facts:
    """The fields of a trial that are not in other columns."""
    fields = {"stop_rule", "grid", "limits", "precision", "device", "probes", "budget"}
    return _facts_of(trial.model_dump(mode="json", include=fields))


def _beginning(attempt: Attempt) -> dict[str, str]:
    begin = attempt.begin
    if isinstance(begin, ImportedBegin):
        return {"imported from": begin.source}
    facts = {"attempt": str(begin.attempt), "unenforced": ", ".join(begin.unenforced) or "nothing"}
    facts |= {"load average before it": f"{begin.load_average:.2f}"}
    if resumptions := len(attempt.all(Resumed)):
        facts["resumed"] = f"{resumptions} times from a checkpoint"
    return facts | {"system": begin.environment.system}


def _numbers(attempt: Attempt) -> list[tuple[str, float]]:
    """The quantities of which a submission's page shows the median."""
    numbers: list[tuple[str, float]] = []
    begin, ready = _first(attempt, Begin), _first(attempt, Ready)
    if begin and ready:
        numbers.append(("set-up (s)", _seconds_between(begin, ready)))
    numbers += [("warm-up (s)", warm.compile_s) for warm in attempt.all(Warm)]
    checkpoints = [event.bytes for event in attempt.all(CheckpointWritten)]
    if checkpoints:
        numbers.append(("training state (MiB)", max(checkpoints) / 2**20))
    for profile in attempt.all(StepProfile):
        whole = profile.steps_s or 1.0
        numbers.append(("of a step: drawing data (%)", 100 * profile.data_s / whole))
        if profile.passes_s is not None:
            update_s = whole - profile.data_s - profile.passes_s
            numbers.append(("of a step: forward and backward (%)", 100 * profile.passes_s / whole))
            numbers.append(("of a step: update and the rest (%)", 100 * update_s / whole))
    return numbers


def _first(attempt: Attempt, kind: type[EventData]) -> Event | None:
    return next((event for event in attempt.events if isinstance(event.data, kind)), None)


def _seconds_between(first: Event, last: Event) -> float:
    start, end = (datetime.fromisoformat(event.at) for event in (first, last))
    return (end - start).total_seconds()


def _clock(attempt: Attempt) -> dict[str, str]:
    return {
        name: f"{seconds:.4f}"
        for end in attempt.all(End)
        for name, seconds in (end.clock or {}).items()
    }


def _facts(data: EventData) -> dict[str, str]:
    return {name: _text(value) for name, value in data.as_json().items() if name != "kind"}


def _text(value: object) -> str:
    return str(value)[:LONGEST_VALUE]


def entry_detail(ref: SubmissionRef, folder: Path | None = None) -> EntryDetail:
    """A submission's description, if the content that ran is available.

    Args:
        ref: name, location and content hash of what ran.
        folder: the folder of its code; None for the code on this machine.
    """
    from scoring.site.material import EntryDetail

    contents = code_of(ref) if folder is None else read_folder(folder)
    if not is_code_of(ref.content_hash, contents):
        return EntryDetail()
    files = {name: content.decode(errors="replace") for name, content in contents.items()}
    try:
        space = parse_space(files.get("space.toml", ""))
    except HarnessError:
        return EntryDetail(files=files)
    return EntryDetail(space.summary, space.family, files)


def workload_detail(trial: Trial) -> WorkloadDetail:
    """A workload's declaration on this machine; the text says if the trial's was different."""
    from harness.calibration.band import band_text
    from scoring.site.material import WorkloadDetail

    try:
        workload = registry.workload(trial.workload)
        size = workload.at(trial.suite)
        summary = workload.spec.summary
    except HarnessError:
        return WorkloadDetail("Its declaration is not known here.", {})
    band = band_text(registry.band(trial.workload, trial.suite))
    facts = {**_facts_of(size.model_dump(mode="json")), "convergence band": band}
    if workload.content_hash(trial.suite) != trial.workload_hash:
        summary += " (The trials ran with another version of it than the one described here.)"
        return WorkloadDetail(summary, facts)
    return WorkloadDetail(summary, facts, samples_of(workload, trial))


def _facts_of(values: dict[str, object]) -> Facts:
    """Values in words; nested tables are flattened, with compound names."""
    return {
        f"{name}.{key}" if key else name: _text(item)
        for name, value in values.items()
        for key, item in (value.items() if isinstance(value, dict) else [("", value)])
        if item is not None
    }
