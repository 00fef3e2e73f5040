"""Named rules enforced by a score; `--allow` overrides a rule and flags the result."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.core.errors import ManyReasonsError, UnknownNameError
from scoring.rules import Rules
from scoring.times import Times
from scoring.tmodel import TINY

RULES = {
    "mixed-suites": "all trials belong to one suite",
    "mixed-rulesets": "all trials were tuned under one ruleset",
    "mixed-rounds": "all trials belong to one round; another seed has other instances and points",
    "mixed-origins": "all trials were measured here, or all were imported",
    "mixed-locations": "each name stands for one folder, file or import path",
    "older-contents": "of each name the latest content alone is scored",
    "held-entries": "no entry that is held is ranked",
    "mixed-spaces": "all trials of an entry search the same hyperparameters",
    "mixed-hardware": "all trials whose workloads are meant for one machine ran on one",
    "mixed-devices": "all trials trained on as many devices",
    "mixed-threads": "all workers of these trials had the same number of threads",
    "mixed-sandboxes": "all workers ran in one sandbox",
    "mixed-versions": "all trials ran with one version of Python and of each package",
    "mixed-variables": "all trials ran under the same variables that steer kernels",
    "mixed-harnesses": "all trials ran with one content of the harness",
    "mixed-workloads": "all trials of a workload ran with one content hash",
    "mixed-budgets": "all trials of a workload had one budget; a machine's speed scales it",
    "mixed-frameworks": "all trials ran in one framework; seconds do not compare across",
    "duplicate-trials": "each trial of a study is there once",
    "unequal-trials": "all studies of a workload have as many trials; the best of more is better",
    "unscored-trials": "all trials ran under the suite's own budget in seconds",
    "unfinished-trials": "every trial has ended",
    "missing-records": "every trial that the ledger planned is in the folder",
    "missing-studies": "every entry has every study of every workload",
    "missing-baselines": "the baseline has run on each model whose target it sets",
    "missing-workloads": "every workload that the rules name was run, and the base of each variant",
    "impossible-times": "every time to target is one that a clock can read",
}
"""What each rule requires."""


@dataclass(frozen=True)
class Breach:
    """A broken rule, and the data that break it."""

    rule: str
    detail: str


def check_allowed(allowed_rules: Collection[str]) -> None:
    """Check that the names given to `--allow` are rules."""
    for name in allowed_rules:
        if name not in RULES:
            raise UnknownNameError("rule", name, RULES)


def settle(
    breaches: list[Breach], allowed_rules: Collection[str], remarks: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The flags for allowed breaches.

    Args:
        breaches: the broken rules.
        allowed_rules: names of the rules that may be broken.
        remarks: remarks to show with a refusal, which may explain it.

    Raises:
        HarnessError: a breach is not allowed; the message names each broken rule and its option.
    """
    check_allowed(allowed_rules)
    violations = [breach for breach in breaches if breach.rule not in allowed_rules]
    if violations:
        lines = [f"refused by rule '{b.rule}' ({RULES[b.rule]}): {b.detail}" for b in violations]
        options = " ".join(f"--allow {rule}" for rule in dict.fromkeys(b.rule for b in violations))
        raise ManyReasonsError(
            [*lines, *remarks], f"to score all the same, flagged as such: {options}"
        )
    return tuple(f"{breach.rule}: {breach.detail}" for breach in breaches)


def missing_studies(times: Times, rules: Rules) -> list[Breach]:
    """A breach if an entry lacks a study that another has, and the rules penalise this."""
    if rules.missing == "drop":
        return []
    absent = np.isnan(times.hit) & ~np.isnan(times.hit).all(axis=0)
    lacking = [
        f"{times.submissions[row]} lacks {absent[row, column].sum()} of {times.workloads[column]}"
        for row, column in zip(*np.nonzero(absent.any(axis=-1)), strict=True)
    ]
    return [Breach("missing-studies", "; ".join(lacking))] if lacking else []


def time_breaches(times: Times, rules: Rules) -> list[Breach]:
    """The rules that study times break."""
    return [*missing_studies(times, rules), *missing_workloads(times, rules), *_impossible(times)]


def missing_workloads(times: Times, rules: Rules) -> list[Breach]:
    """A breach if no entry has a study of a workload that the rules name.

    Otherwise every entry would count as missing that workload's target; for a held-out variant,
    even the base workload's, regardless of its time there. Rules that name no workload name the
    base of each variant that was run, without which the variant would not count.
    """
    held_out = (name for name, of in rules.held_out.items() if of in rules.base)
    present = np.flatnonzero((~np.isnan(times.hit)).any(axis=(0, 2)))
    workloads = {times.workloads[column] for column in present}
    if not rules.base:
        return _missing_bases(workloads, rules)
    absent = [name for name in (*rules.base, *held_out) if name not in workloads]
    if not absent:
        return []
    total = len(rules.base) + sum(of in rules.base for of in rules.held_out.values())
    what = f"nobody ran {', '.join(absent)}, {len(absent)} of the {total} that the rules name"
    return [Breach("missing-workloads", what)]


def _missing_bases(workloads: set[str], rules: Rules) -> list[Breach]:
    """A breach for each base workload that nobody ran, although its variants were."""
    variants: dict[str, list[str]] = {}
    for name, of in sorted(rules.held_out.items()):
        if name in workloads and of not in workloads:
            variants.setdefault(of, []).append(name)
    return [
        Breach("missing-workloads", f"nobody ran {of}, the base of {', '.join(names)}")
        for of, names in variants.items()
    ]


def _impossible(times: Times) -> list[Breach]:
    places = [
        f"{times.submissions[row]} on {times.workloads[column]}: {times.hit[row, column, study]}"
        for row, column, study in np.argwhere(times.hit < TINY)
    ]
    return [Breach("impossible-times", "; ".join(places[:5]))] if places else []


def absences(times: Times, rules: Rules) -> tuple[str, ...]:
    """Flags for entries without a study of a workload, where the rules drop missing studies."""
    if rules.missing != "drop":
        return ()
    absent: npt.NDArray[np.bool_] = np.asarray(np.isnan(times.hit).all(axis=2))
    absent &= ~absent.all(axis=0)
    return tuple(
        f"absent: {times.submissions[row]} has no study of "
        f"{', '.join(times.workloads[column] for column in np.flatnonzero(absent[row]))}, "
        "which counts as not reached"
        for row in np.flatnonzero(absent.any(axis=1))
    )
