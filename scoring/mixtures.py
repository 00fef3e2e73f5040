"""Mixtures: trials in a results frame that do not belong on the same board, by rule."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from scoring.refusals import Breach

ONE_FOR_ALL = {
    "mixed-suites": "suite",
    "mixed-rulesets": "ruleset",
    "mixed-rounds": "round",
    "mixed-origins": "origin",
    "mixed-frameworks": "framework",
    "mixed-devices": "devices",
    "mixed-sandboxes": "sandbox",
    "mixed-variables": "variables",
    "mixed-harnesses": "harness_hash",
}
"""Columns in which all trials must have the same value, by rule."""
ONE_FOR_A_MACHINE = {"mixed-hardware": "hardware", "mixed-threads": "threads"}
"""Columns in which trials must agree if their workloads are declared for the same machine, by rule.
"""
HASH = 64
"""The length of a hash; its first twelve characters are shown."""


def name_breaches(frame: pd.DataFrame) -> list[Breach]:
    """Breaches by names shared by different submissions, in a frame with all contents."""
    places = frame[["submission", "location"]].drop_duplicates().astype(str)
    return [
        Breach("mixed-locations", f"{name} lies in {' and in '.join(sorted(part['location']))}")
        for name, part in places.groupby("submission")
        if len(part) > 1
    ]


def frame_breaches(frame: pd.DataFrame) -> list[Breach]:
    """The rules that a prepared results frame breaks."""
    return list(_frame_breaches(frame))


def _frame_breaches(frame: pd.DataFrame) -> Iterator[Breach]:
    for rule, column in ONE_FOR_ALL.items():
        if _distinct(frame[column]) > 1:
            yield Breach(rule, f"{column} is {_values(frame, frame[column])}")
    yield from _machine_breaches(frame)
    yield from _version_breaches(frame)
    yield from _breaches_within(frame, "column", "mixed-workloads", "workload_hash")
    yield from _breaches_within(frame, "entry", "mixed-spaces", "space")
    yield from _budget_breaches(frame)
    yield from _duplicate_breaches(frame)
    yield from _count_breaches(frame)
    for rule, bad in (
        ("unscored-trials", ~frame["scored"].astype(bool)),
        ("unfinished-trials", frame["state"].eq("unfinished")),
    ):
        if bad.any():
            entries = ", ".join(sorted(frame.loc[bad, "entry"].unique()))
            yield Breach(rule, f"{int(bad.sum())} of {len(frame)} trials (of {entries})")


def _machine_breaches(frame: pd.DataFrame) -> Iterator[Breach]:
    """Breaches by several machines; a suite may have workloads for a CPU and for a GPU."""
    machines = frame["meant_for"] if "meant_for" in frame else pd.Series("", index=frame.index)
    for name, part in frame.groupby(machines):
        where = f" on workloads for {name}" if name else ""
        for rule, column in ONE_FOR_A_MACHINE.items():
            if _distinct(part[column]) > 1:
                yield Breach(rule, f"{column} is {_values(part, part[column])}{where}")


def _distinct(values: pd.Series[str]) -> int:
    """The number of distinct values; '' does not count, as for a trial that has not begun."""
    return len([value for value in values.unique() if value != ""])


def _values(frame: pd.DataFrame, values: pd.Series[str]) -> str:
    """Each value and its owners, in words."""
    pairs = pd.DataFrame({"value": values.astype(str), "entry": frame["entry"].astype(str)})
    owners: dict[str, list[str]] = {}
    for value, name in sorted(pairs.drop_duplicates().itertuples(index=False, name=None)):
        owners.setdefault(value, []).append(name)
    return "; ".join(
        f"{_short(value)} ({', '.join(names[:3])}{', ...' if names[3:] else ''})"
        for value, names in owners.items()
        if value
    )


def _short(value: str) -> str:
    return value[:12] if len(value) == HASH else value


def _breaches_within(frame: pd.DataFrame, group: str, rule: str, column: str) -> Iterator[Breach]:
    """Breaches by groups of trials with several values in a column."""
    counts = frame.groupby(group)[column].nunique()
    for name in counts[counts > 1].index:
        part = frame[frame[group] == name]
        yield Breach(rule, f"{name} has {_values(part, part[column])}")


def _version_breaches(frame: pd.DataFrame) -> Iterator[Breach]:
    """Breaches by packages in several versions; a package that was absent has no version."""
    parts = {
        text: dict(part.partition(" ")[::2] for part in text.split("; ")) if text else {}
        for text in map(str, frame["versions"].unique())
    }
    for package in sorted({name for versions in parts.values() for name in versions}):
        versions = frame["versions"].map(
            {text: by_name.get(package, "") for text, by_name in parts.items()}
        )
        if _distinct(versions) > 1:
            yield Breach("mixed-versions", f"{package} is {_values(frame, versions)}")


def _budget_breaches(frame: pd.DataFrame) -> Iterator[Breach]:
    """Breaches by several budgets on one machine; budgets depend on machine and framework."""
    of_one_machine = ["column", "hardware", "framework", "ruleset"]
    is_ours = frame["origin"].ne("imported") & frame["hardware"].astype(str).ne("")
    for (name, *_), part in frame[frame["scored"].astype(bool) & is_ours].groupby(of_one_machine):
        budgets = sorted(part["budget_s"].unique())
        if len(budgets) > 1:
            listing = ", ".join(f"{budget_s:.4g} s" for budget_s in budgets)
            yield Breach("mixed-budgets", f"{name} has {len(budgets)} budgets: {listing}")


def _duplicate_breaches(frame: pd.DataFrame) -> Iterator[Breach]:
    """Breaches by trials with the same number in a study, or one trial in several folders."""
    place = ["entry", "framework", "ruleset", "column", "study", "trial"]
    is_again = frame.duplicated(place, keep=False)
    if not is_again.any():
        return
    again = frame[is_again].sort_values([*place, "record"])
    same = again[(again[place] == again[place].iloc[0]).all(axis=1)]
    first = same.iloc[0]
    yield Breach(
        "duplicate-trials",
        f"{len(again)} trials share {len(again[place].drop_duplicates())} places; trial "
        f"{first['trial']} of study {first['study']} of {first['entry']} on {first['column']} "
        f"is in {' and in '.join(same['record'].astype(str))}",
    )


def trial_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """The number of trials of each measured study: its keys, and `trials`.

    Published studies lack trials that were not evaluated.
    """
    study = ["column", "ruleset", "entry", "framework", "study"]
    places = frame.loc[frame["origin"].ne("imported"), [*study, "trial"]].drop_duplicates()
    return places.groupby(study).size().reset_index(name="trials")


def _count_breaches(frame: pd.DataFrame) -> Iterator[Breach]:
    counts = trial_counts(frame)
    for (column, _), part in counts.groupby(["column", "ruleset"]):
        if part["trials"].nunique() > 1:
            yield Breach(
                "unequal-trials", f"{column}: trials a study {_values(part, part['trials'])}"
            )
