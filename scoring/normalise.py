"""Convert another machine's times to this one's, by trials of a reference in between.

    time here = time there / ratio,   ratio = median over trials of (s/step there) / (s/step here)

for each workload, over the reference's trials on the same instances on both machines. Seconds per
step are compared rather than times to target, which also depend on chance. The ratio is specific to
the reference: another method may gain more or less from a machine, so every converted score is
flagged.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.core.errors import HarnessError

MOST_BETWEEN = 3
"""Maximum number of trials between two trials of the reference: one study."""
DRIFT = 0.25
"""Maximum relative spread of the reference's ratios; the same limit flags a trial for interference.
"""
SECONDS = ["time_to_target_s", "last_miss_s", "hit_s", "timed_s", "budget_s"]
OWN = 32
"""The characters of a shipped submission's hash that depend on its own files; the others depend on
code shared by all shipped submissions, most of which the reference does not run."""
INSTANCE = [
    "framework", "own_content", "ruleset", "column",
    "study", "trial", "instance_seed", "workload_hash",
]  # fmt: skip
"""The columns in which the reference's trials on both machines must agree."""


class Bracket(NamedTuple):
    """The times of the reference's trials around a trial of another entry on the same workload."""

    trial: str
    """The identity of the enclosed trial."""
    what: str
    """Its record's folder and its workload, for messages."""
    before: str
    """The end of the reference's latest trial before it; '' if there is none."""
    after: str
    """The beginning of the reference's next trial after it; '' if there is none."""
    between: int
    """The number of other entries' trials that began between the two, or since the first."""

    @property
    def is_close(self) -> bool:
        """Whether the reference ran shortly before it, so that at most a later trial is missing."""
        return self.before != "" and self.between <= MOST_BETWEEN

    @property
    def is_between(self) -> bool:
        """Whether it ran between two trials of the reference, at most a study apart."""
        return self.is_close and self.after != ""


def normalise(frame: pd.DataFrame, other: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Combine two prepared frames, with the second's times converted to the first's machine.

    The second frame's reference trials are dropped. The column `normalised` describes the
    conversion of a trial; it is empty for those of the first frame.

    Args:
        frame: prepared frame of one machine.
        other: prepared frame of another machine, with the columns `begun_at` and `ended_at`.
        reference: the submission that ran on both machines.

    Raises:
        HarnessError: the machines are the same, an entry is in both frames, trials of the reference
            are missing or did not enclose the others, or the other machine's speed changed.
    """
    _refuse_entries_of_both(frame, other[other["submission"] != reference])
    refuse_unless_between(brackets(other, reference), reference)
    parts = [frame.assign(normalised=""), convert(frame, other, reference)]
    return pd.concat(parts, ignore_index=True)


def convert(frame: pd.DataFrame, other: pd.DataFrame, reference: str) -> pd.DataFrame:
    """The second frame's trials, without the reference's, in seconds of the first's machine.

    `refuse_unless_between` checks that trials of the reference enclose them.

    Raises:
        HarnessError: as `normalise`.
    """
    here, there = _machine(frame), _machine(other)
    if here == there:
        raise HarnessError(f"both folders are of machine {here}", "score them without --normalise")
    theirs = other[other["submission"] != reference]
    parts = [theirs.iloc[:0].assign(normalised="")]
    for column, trials in theirs.groupby("column"):
        runs = other[(other["submission"] == reference) & (other["column"] == column)]
        ratio, count = _ratio(frame[frame["submission"] == reference], runs, reference, str(column))
        what = (
            f"{column}: seconds of {there} divided by {ratio:.3g}, {reference}'s time a step there "
            f"over that on {here} ({count} trials run in between)"
        )
        seconds = {name: trials[name].astype(float) / ratio for name in SECONDS}
        parts.append(trials.assign(**seconds, hardware=here, normalised=what))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _machine(frame: pd.DataFrame) -> str:
    machines = sorted({str(value) for value in frame["hardware"]} - {""})
    if len(machines) != 1:
        raise HarnessError(
            f"records of {len(machines)} machines: {', '.join(machines) or 'no trial has begun'}",
            "keep the records of each machine in a folder of its own",
        )
    return machines[0]


def _refuse_entries_of_both(frame: pd.DataFrame, theirs: pd.DataFrame) -> None:
    keys = ["submission", "framework", "column"]
    both = frame[keys].drop_duplicates().merge(theirs[keys].drop_duplicates())
    if len(both):
        names = ", ".join(sorted(set(both["submission"] + " on " + both["column"])))
        raise HarnessError(
            f"in both folders: {names}", "normalise a folder without the entries that are here"
        )


def brackets(frame: pd.DataFrame, reference: str) -> list[Bracket]:
    """The times of the reference's trials around each other trial of a prepared frame."""
    all_brackets = []
    for column, trials in frame.groupby("column"):
        is_reference = trials["submission"] == reference
        runs, others = trials[is_reference], trials[~is_reference]
        spans = list(zip(runs["begun_at"].map(str), runs["ended_at"].map(str), strict=True))
        starts = others["begun_at"].map(str).tolist()
        for trial in others.to_dict("records"):
            before = max((end for _, end in spans if end <= str(trial["begun_at"])), default="")
            after = min(
                (start for start, _ in spans if start >= str(trial["ended_at"])), default=""
            )
            between = sum(before <= start and (not after or start < after) for start in starts)
            what = f"{trial['record']} on {column}"
            all_brackets.append(Bracket(trial["identity"], what, before, after, between))
    return all_brackets


def refuse_unless_between(trials: Iterable[Bracket], reference: str) -> None:
    """Check that each trial ran between two trials of the reference, at most a study apart."""
    for trial in trials:
        if not trial.is_between:
            raise HarnessError(
                f"{trial.what} was not run between two trials of {reference}, "
                f"with at most {MOST_BETWEEN} others",
                "run it into a folder of its own: `harness run --with-reference --out DIR` runs "
                "adamw before and after each study",
            )


def _ratio(
    ours: pd.DataFrame, theirs: pd.DataFrame, reference: str, column: str
) -> tuple[float, int]:
    """The ratio of the reference's step times (there / here), and its number of trials."""
    both = [
        trials.assign(own_content=trials["content_hash"].str[:OWN]) for trials in (ours, theirs)
    ]
    pairs = both[0].merge(both[1], on=INSTANCE, suffixes=("", "_there"))
    pairs = pairs[(pairs["steps"] > 0) & (pairs["steps_there"] > 0)]
    if pairs.empty:
        raise HarnessError(
            f"no trial of {reference} on {column} ran on both machines",
            f"run it here as there: harness run --workload {column} --submission {reference}",
        )
    there = pairs["timed_s_there"] / pairs["steps_there"]
    ratios = (there / (pairs["timed_s"] / pairs["steps"])).to_numpy(dtype=np.float64)
    if ratios.max() > (1.0 + DRIFT) * ratios.min():
        raise HarnessError(
            f"{reference} on {column} is {ratios.min():.3g} to {ratios.max():.3g} times slower "
            f"there; {100 * DRIFT:.0f} % between its trials is allowed",
            "run the folder again on an idle machine: harness doctor shows what interferes",
        )
    return float(np.median(ratios)), len(ratios)
