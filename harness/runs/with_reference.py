"""Plan trials of the reference submission before and after each study of a submission.

Their step times measure this machine's speed at that time, so that the submission's seconds can be
converted into seconds of another machine (`scoring.normalise`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from harness.core.errors import HarnessError
from harness.plan.plan import Plan, PlanRequest, plan
from harness.plan.trial import Trial
from harness.record.plan import unfinished_trials
from harness.record.tables import results_frame
from harness.speed.reference_training import REFERENCE
from scoring.frame import prepare
from scoring.normalise import MOST_BETWEEN, Bracket, brackets


def with_reference(own: Plan, request: PlanRequest, store: Path) -> Plan:
    """Interleave a submission's plan on one workload with trials of the reference.

    The reference has as many studies as the submission, or more if it needs more trials. Ended
    trials come first; missing trials follow in the order in which they will run.

    Args:
        own: the plan of the submission's trials.
        request: what the plan was made from; the reference's trials share all but the submission.
        store: the folder of their records.

    Raises:
        HarnessError: the submission has the reference's name, or ended trials of it cannot be
            enclosed by trials of the reference any more.
    """
    name = own.trials[0].submission.name
    if name == REFERENCE:
        raise HarnessError(
            f"--with-reference runs {REFERENCE} next to a submission, and this one has that name",
            "leave it out, or copy the submission to a folder of another name",
        )
    pending = unfinished_trials(own.trials, store)
    parts = _parts(pending)
    lacks_the_last = any(not trial.is_between for trial in _brackets(own, pending, store))
    references_to_run = len(parts) + 1 if parts or lacks_the_last else 0
    reference = _reference_trials(own, request, references_to_run, store)
    unfinished_references = unfinished_trials(reference, store)
    order = _in_turn(parts, unfinished_references, references_to_run)
    earlier = [trial for trial in (*own.trials, *reference) if trial not in order]
    remark = f"{REFERENCE} runs before and after each study, to tell how fast this machine is"
    return Plan((*earlier, *order), (*own.remarks, remark))


def _parts(pending: Sequence[Trial]) -> list[list[Trial]]:
    """Groups of missing trials, each short enough to run between two trials of the reference."""

    def part(trial: Trial) -> tuple[int, int]:
        return trial.study, (trial.trial - 1) // MOST_BETWEEN

    return [list(trials) for _, trials in groupby(pending, part)]


def _brackets(own: Plan, pending: Sequence[Trial], store: Path) -> list[Bracket]:
    """The trials of the reference around each ended trial of the submission.

    Raises:
        HarnessError: one of them is not enclosed by trials of the reference.
    """
    identities = {trial.identity for trial in own.trials if trial not in pending}
    if not identities:
        return []
    first = own.trials[0]
    frame = results_frame(store)
    rows = frame[
        (frame["workload"] == first.workload)
        & (frame["variant"] == first.variant)
        & (frame["identity"].isin(identities) | (frame["submission"] == REFERENCE))
        & (frame["state"] != "unfinished")
    ]
    around = brackets(prepare(rows), REFERENCE)
    late = [trial for trial in around if not trial.is_close]
    if late:
        raise HarnessError(
            f"{len(late)} of {len(around)} trials of {first.submission.name} on {first.workload} "
            f"ended in {store} without a trial of {REFERENCE} shortly before and after them",
            "run them into a folder of their own: --with-reference --out DIR",
        )
    return around


def _reference_trials(
    own: Plan, request: PlanRequest, references_to_run: int, store: Path
) -> tuple[Trial, ...]:
    """The reference's trials, of as many studies as leave enough of them to run."""
    first = own.trials[0]
    reference_request = replace(
        request, submission=REFERENCE, space=None, settings={}, speed=first.budget.speed
    )
    studies = max(trial.study for trial in own.trials)
    while True:
        trials = plan(replace(reference_request, studies=studies)).trials
        if len(unfinished_trials(trials, store)) >= references_to_run:
            return trials
        studies += 1


def _in_turn(
    parts: Sequence[Sequence[Trial]], references: Sequence[Trial], references_to_run: int
) -> list[Trial]:
    """Alternate trials of the reference with the groups; its remaining trials come last."""
    order = list(references[:1]) if references_to_run else []
    for number, part in enumerate(parts, start=1):
        order += [*part, references[number]]
    return [*order, *references[references_to_run:]]
