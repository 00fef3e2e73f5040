"""Convert AlgoPerf's logs to records: each trial with its curve, of origin `imported`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.canonical import sha256_json, sha256_text
from harness.core.errors import HarnessError
from harness.core.seeds import derive
from harness.plan.plan import RulesetName
from harness.plan.trial import Trial, TrialBudget
from harness.providers.table import FRAMEWORKS
from harness.record.imported import PublishedEvaluation, write_imported
from harness.record.store import refuse_other_versions
from harness.submission.reference import Framework, SubmissionRef
from workloads.spec import Grid, Limits, Target

if TYPE_CHECKING:
    from scoring.logs import TrialLog
    from scoring.rules import Rules


def import_records(
    logs: Path, rules_name: str, out: Path, ruleset: RulesetName = "external"
) -> int:
    """Write every evaluated trial of a folder of logs as a record; returns their number.

    Args:
        logs: the folder of submissions.
        rules_name: name or file of scoring rules with targets.
        out: the folder to write the records to.
        ruleset: the ruleset under which the submissions were tuned.

    Raises:
        HarnessError: no trial was evaluated, a record cannot be written, or the folder has records
            of another version.
    """
    from scoring.logs import find_trials
    from scoring.measurements import read_measurements
    from scoring.rules import load_rules

    refuse_other_versions(out)
    rules = load_rules(rules_name)
    count = 0
    for log in find_trials(logs, rules):
        measurements = read_measurements(log.path, rules.targets[log.workload].metric)
        if measurements is None:
            continue
        rows = zip(measurements.steps, measurements.times_s, measurements.metric, strict=True)
        evaluations = [PublishedEvaluation(*row) for row in rows]
        _check_times(evaluations, log.path)
        trial = published_trial(
            log, rules, Path(rules_name).name.removesuffix(".toml"), evaluations, ruleset
        )
        write_imported(out, trial, evaluations, log.path)
        count += 1
    if not count:
        raise HarnessError(
            f"there is no evaluated trial of a known workload under {logs}",
            "expected: SUBMISSION/study_K/WORKLOAD_FRAMEWORK/trial_N/eval_measurements.csv",
        )
    return count


def _check_times(evaluations: Sequence[PublishedEvaluation], path: str) -> None:
    for number, evaluation in enumerate(evaluations, start=1):
        if not math.isfinite(evaluation.timed_s):
            raise HarnessError(
                f"{path}: evaluation {number} has the time {evaluation.timed_s}",
                "a record needs a number of seconds; import into a table: --out FILE.csv",
            )


def published_trial(
    log: TrialLog,
    rules: Rules,
    suite: str,
    evaluations: Sequence[PublishedEvaluation],
    ruleset: RulesetName = "external",
) -> Trial:
    """The trial of a log; unpublished fields (point, machine) are empty or marked as unknown."""
    target = rules.targets[log.workload]
    base = rules.held_out.get(log.workload, log.workload)
    variant = log.workload.removeprefix(base).lstrip("_") or "base"
    study = _number(log.study)
    longest = max((e.timed_s for e in evaluations if e.timed_s > 0), default=1.0)
    return Trial(
        suite=suite,
        workload=base,
        workload_hash=sha256_json(target.model_dump(mode="json")),
        variant=variant,
        framework=_framework(log),
        submission=SubmissionRef(
            name=log.submission, location="published", content_hash=sha256_text(log.submission)
        ),
        ruleset=ruleset,
        study=study,
        trial=log.trial,
        instance_seed=derive("published", suite, log.workload, study),
        point={},
        budget=TrialBudget(runtime_s=longest),
        target=Target(metric=target.metric, direction=target.direction, value=target.value),
        grid=Grid(),
        limits=Limits(),
        precision="float32",
        device="published",
        probes=False,
    )


def _number(study: str) -> int:
    """A study's number; published studies are numbered from 0, the harness's from 1."""
    digits = study.removeprefix("study_")
    if not digits.isdecimal():
        raise HarnessError(
            f"a study's folder is called '{study}'", "expected: study_0, study_1, ..."
        )
    return int(digits) + 1


def _framework(log: TrialLog) -> Framework:
    """The framework, which is the suffix of the log folder's name."""
    for name in FRAMEWORKS.names:
        if log.framework.endswith(name):
            return name
    raise HarnessError(
        f"{log.path} was run in '{log.framework}'",
        f"known frameworks: {', '.join(FRAMEWORKS.names)}",
    )
