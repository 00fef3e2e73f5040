"""Audits: repeat a trial on an instance that its submission cannot have prepared for.

Point, budget and stop rule are unchanged; the instance seed is derived from a text of the auditor,
and the variant may be a held-out one. Exploits that depend on the instance, such as weights shipped
with a submission, or on recognising a workload by its shapes, then fail.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.core.errors import HarnessError, UnknownNameError
from harness.core.seeds import commitment, derive
from harness.plan.trial import Trial, TrialRecord
from harness.providers import registry
from harness.record.schema.audited import AuditVerdict, TrialAudited

TOLERANCE = 1.5
"""The largest ratio of times to target that an audit accepts: about five standard deviations over
seeds on a workload with the 10 % coefficient of variation that a calibrated target allows."""


@dataclass(frozen=True)
class AuditedTrial:
    """A trial and its rerun on another instance."""

    original: TrialRecord
    rerun: TrialRecord

    @property
    def ratio(self) -> float | None:
        """The rerun's time to target over the original's; None if one of them has none."""
        original_s, rerun_s = _time(self.original), _time(self.rerun)
        return rerun_s / original_s if original_s is not None and rerun_s is not None else None

    @property
    def verdict(self) -> AuditVerdict:
        """Whether the rerun confirms the trial's time."""
        if _time(self.original) is None:
            return "nothing to compare"
        if self.ratio is None:
            return "not reached"
        return "agrees" if self.ratio <= TOLERANCE else "slower"

    @property
    def event(self) -> TrialAudited:
        """The event that records this audit in a ledger or a board's log."""
        trial, rerun = self.original.trial, self.rerun.trial
        return TrialAudited(
            identity=self.original.identity,
            rerun=self.rerun.identity,
            round=rerun.round_commitment,
            submission=trial.submission.name,
            entry_hash=trial.submission.entry_hash,
            workload=trial.workload,
            variant=trial.variant,
            rerun_variant=rerun.variant,
            framework=trial.framework,
            claimed_s=_time(self.original),
            found_s=_time(self.rerun),
            verdict=self.verdict,
        )


def _time(record: TrialRecord) -> float | None:
    return record.result.time_to_target_s if record.result else None


def fastest_trials(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The fastest trial of each entry on each workload.

    Raises:
        HarnessError: no trial reached its target.
    """
    best: dict[tuple[str, ...], TrialRecord] = {}
    for record in records:
        trial, time_s = record.trial, _time(record)
        entry = (trial.workload, trial.variant, trial.submission.name, trial.framework)
        if time_s is None:
            continue
        before_s = _time(best[entry]) if entry in best else None
        if before_s is None or time_s < before_s:
            best[entry] = record
    if not best:
        raise HarnessError(
            "no trial reached its target, so there is no time to audit", "name one with --trial"
        )
    return list(best.values())


def audit_trial(trial: Trial, seed: str, variant: str = "base") -> Trial:
    """The trial on another instance, and at another variant if one is named.

    Args:
        trial: the original trial.
        seed: the auditor's text, unknown to the submission's author.
        variant: a variant's name; `base` for that of the trial.

    Raises:
        UnknownNameError: the workload has no variant of this name.
    """
    variants = registry.workload(trial.workload).at(trial.suite).variants
    if variant not in ("base", *variants):
        raise UnknownNameError(f"variant of {trial.workload}", variant, ("base", *variants))
    changes = {
        "instance_seed": derive("audit", seed, trial.identity),
        "round_commitment": commitment(seed),
        "variant": trial.variant if variant == "base" else variant,
    }
    return trial.model_copy(update=changes)
