"""Flags, from a results frame, for conditions that are allowed but should be visible."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from harness.core.content import several_texts
from scoring.mixtures import trial_counts


def trial_flags(frame: pd.DataFrame) -> tuple[str, ...]:
    """Flags for events of trials, such as interference.

    Optional columns: `normalised` (how), `interference` (by what), `contention` (how much),
    `attempt` (number), `resumed` (how often), and `files` (hash of the submission's exact bytes).
    """
    flags = []
    if "normalised" in frame.columns:
        flags += [f"normalised: {how}" for how in sorted(frame["normalised"].unique()) if how]
    if count := int(frame["origin"].eq("imported").sum()):
        flags.append(
            f"imported: {count} of {len(frame)} trials were measured by others; no ledger has them"
        )
    if count := _count_nonempty(frame, "interference"):
        flags.append(f"flagged: the machine changed around {count} of {len(frame)} trials")
    if count := _count_nonempty(frame, "contention"):
        flags.append(
            f"contended: other programs took much of their processors from {count} of {len(frame)} "
            "trials"
        )
    if "attempt" in frame.columns and (count := int(frame["attempt"].gt(1).sum())):
        flags.append(f"repeated: {count} of {len(frame)} trials were begun more than once")
    if "resumed" in frame.columns and (count := int(frame["resumed"].gt(0).sum())):
        flags.append(f"resumed: {count} of {len(frame)} trials went on from a checkpoint")
    if "files" in frame.columns:
        runs = frame[["submission", "content_hash", "files"]].fillna("").astype(str)
        flags += several_texts(runs.itertuples(index=False, name=None))
    return tuple(flags)


def _count_nonempty(frame: pd.DataFrame, column: str) -> int:
    """The number of trials with a text in an optional column."""
    return int(frame[column].fillna("").ne("").sum()) if column in frame.columns else 0


def gap_flags(frame: pd.DataFrame) -> tuple[str, ...]:
    """Flags for parts of the suite that a prepared frame lacks for all entries.

    These are workloads that nobody ran, and studies whose number of trials differs from the
    ruleset's.
    """
    return (*_workload_gaps(frame), *_trial_gaps(frame))


def _workload_gaps(frame: pd.DataFrame) -> Iterator[str]:
    for (suite, names), part in frame.groupby(["suite", "suite_workloads"]):
        workloads = str(names).split(", ") if names else []
        missing_names = [name for name in workloads if name not in set(part["workload"])]
        if missing_names:
            yield (
                f"partial: nobody ran {', '.join(missing_names)}; a score of suite {suite} is over "
                f"its {len(workloads)} workloads"
            )


def _trial_gaps(frame: pd.DataFrame) -> Iterator[str]:
    for (ruleset, trials), part in frame.groupby(["ruleset", "ruleset_trials"]):
        counts = trial_counts(part)["trials"]
        others = counts[counts != trials]
        if trials and len(others):
            numbers = ", ".join(map(str, sorted(others.unique())))
            yield (
                f"incomplete: {len(others)} of {len(counts)} studies have another number of trials "
                f"({numbers}) than ruleset {ruleset} counts, {trials}"
            )
