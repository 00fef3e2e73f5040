"""Named rules that a score enforces; `--allow` overrides a rule and flags the result."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.core.content import several_texts
from harness.core.errors import HarnessError, UnknownNameError
from scoring.rules import Rules
from scoring.times import Times

RULES = {
    "mixed-suites": "all trials belong to one suite",
    "mixed-rulesets": "all trials were tuned under one ruleset",
    "mixed-hardware": "all trials ran on machines with one fingerprint",
    "mixed-workloads": "all trials of a workload ran with one content hash",
    "mixed-budgets": "all trials of a workload had one budget; a machine's speed scales it",
    "mixed-frameworks": "all trials ran in one framework; seconds do not compare across",
    "unscored-trials": "all trials ran under the suite's own budget in seconds",
    "unfinished-trials": "every trial has ended",
    "missing-studies": "every entry has every study of every workload",
    "too-few-studies": "a comparison rests on at least two studies",
}
"""What each rule requires."""


@dataclass(frozen=True)
class Breach:
    """A broken rule, with what breaks it."""

    rule: str
    detail: str


def check_allowed(allowed: Collection[str]) -> None:
    """Refuse a name given to `--allow` that is not a rule."""
    for name in allowed:
        if name not in RULES:
            raise UnknownNameError("rule", name, RULES)


def settle(breaches: list[Breach], allowed: Collection[str]) -> tuple[str, ...]:
    """The flags for allowed breaches.

    Raises:
        HarnessError: a breach is not allowed; the message names each rule and its option.
    """
    check_allowed(allowed)
    refused = [breach for breach in breaches if breach.rule not in allowed]
    if refused:
        lines = [f"refused by rule '{b.rule}' ({RULES[b.rule]}): {b.detail}" for b in refused]
        options = " ".join(f"--allow {rule}" for rule in dict.fromkeys(b.rule for b in refused))
        raise HarnessError("\n".join(lines), f"to score all the same, stamped as such: {options}")
    return tuple(f"{breach.rule}: {breach.detail}" for breach in breaches)


def frame_breaches(frame: pd.DataFrame) -> list[Breach]:
    """The rules that a prepared results frame breaks."""
    return list(_frame_breaches(frame))


def _frame_breaches(frame: pd.DataFrame) -> Iterator[Breach]:
    for rule, column in (
        ("mixed-suites", "suite"),
        ("mixed-rulesets", "ruleset"),
        ("mixed-hardware", "hardware"),
        ("mixed-frameworks", "framework"),
    ):
        # A trial that has not started has no machine yet.
        values = sorted(value for value in frame[column].astype(str).unique() if value)
        if len(values) > 1:
            yield Breach(rule, f"{len(values)} values of {column}: {', '.join(values)}")
    hashes = frame.groupby("column")["workload_hash"].unique()
    for name, values in hashes.items():
        if len(values) > 1:
            short = ", ".join(sorted(str(value)[:12] for value in values))
            yield Breach("mixed-workloads", f"{name} has {len(values)} hashes: {short}")
    yield from _budget_breaches(frame)
    for rule, bad in (
        ("unscored-trials", ~frame["scored"].astype(bool)),
        ("unfinished-trials", frame["state"].eq("unfinished")),
    ):
        if bad.any():
            entries = ", ".join(sorted(frame.loc[bad, "entry"].unique()))
            yield Breach(rule, f"{int(bad.sum())} of {len(frame)} trials (of {entries})")


def _budget_breaches(frame: pd.DataFrame) -> Iterator[Breach]:
    """Breaches by several budgets on one machine; each machine and framework has its own."""
    of_one_machine = ["column", "hardware", "framework", "ruleset"]
    is_ours = frame["origin"].ne("imported") & frame["hardware"].astype(str).ne("")
    for (name, *_), part in frame[frame["scored"].astype(bool) & is_ours].groupby(of_one_machine):
        budgets = sorted(part["budget_s"].unique())
        if len(budgets) > 1:
            listing = ", ".join(f"{budget_s:.4g} s" for budget_s in budgets)
            yield Breach("mixed-budgets", f"{name} has {len(budgets)} budgets: {listing}")


def marks(frame: pd.DataFrame) -> tuple[str, ...]:
    """Flags for conditions that are allowed but should be visible, such as interference.

    Optional columns: `normalised` (how), `interference` (by what), `attempt` (number), `resumed`
    (how often), and `content_hash` with `files` (hashes of the submission without prose and byte
    for byte).
    """
    flags = []
    if "normalised" in frame.columns:
        flags += [f"normalised: {how}" for how in sorted(frame["normalised"].unique()) if how]
    flagged = frame["interference"].fillna("").ne("") if "interference" in frame.columns else None
    if flagged is not None and (count := int(flagged.sum())):
        flags.append(f"flagged: the machine changed around {count} of {len(frame)} trials")
    if "attempt" in frame.columns and (count := int(frame["attempt"].gt(1).sum())):
        flags.append(f"repeated: {count} of {len(frame)} trials were begun more than once")
    if "resumed" in frame.columns and (count := int(frame["resumed"].gt(0).sum())):
        flags.append(f"resumed: {count} of {len(frame)} trials went on from a checkpoint")
    if {"content_hash", "files"} <= set(frame.columns):
        ran = frame[["submission", "content_hash", "files"]].fillna("").astype(str)
        flags += several_texts(ran.itertuples(index=False, name=None))
    return tuple(flags)


def missing_studies(times: Times, rules: Rules) -> list[Breach]:
    """A breach if an entry lacks a study that another has and the rules penalise it."""
    if rules.missing == "drop":
        return []
    absent = np.isnan(times.hit) & ~np.isnan(times.hit).all(axis=0)
    lacking = [
        f"{times.submissions[row]} lacks {absent[row, column].sum()} of {times.workloads[column]}"
        for row, column in zip(*np.nonzero(absent.any(axis=-1)), strict=True)
    ]
    return [Breach("missing-studies", "; ".join(lacking))] if lacking else []
