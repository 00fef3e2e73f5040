"""Entries: a submission's name and content, and the choice among contents of one name.

Editing a submission and running it again creates a new entry under the old name. By default only
the latest content of each name is scored; the scoreboard reports how many older ones were omitted.
`--allow older-contents` scores each content as a separate entry. Only this module makes the choice:
`scoring.evaluate.score_results` calls it for a scoreboard, and code that shows the trials behind a
scoreboard calls it again on the same frame.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

OLDER = "older-contents"
"""The rule that is overridden to score every content of a name."""


@dataclass(frozen=True)
class Entry:
    """The key of an entry: a submission's name and its content."""

    submission: str
    content_hash: str
    begun_at: str
    """When its latest trial began; '' if none has begun."""

    @property
    def label(self) -> str:
        """The entry's name if a frame has several contents of the submission."""
        return f"{self.submission}@{self.content_hash[:8]}"


@dataclass(frozen=True)
class Contents:
    """The contents of one name in a results frame, latest last."""

    entries: tuple[Entry, ...]

    @property
    def latest(self) -> Entry:
        """The content whose trial began last."""
        return self.entries[-1]

    def __len__(self) -> int:
        return len(self.entries)


def contents_by_name(frame: pd.DataFrame) -> dict[str, Contents]:
    """The contents of each submission of a results frame, from the oldest to the latest."""
    columns = ["submission", "content_hash", "begun_at"]
    starts = frame[columns].drop_duplicates().groupby(columns[:2], as_index=False).max()
    entries = sorted(
        (Entry(*map(str, row)) for row in starts[columns].itertuples(index=False, name=None)),
        key=lambda entry: (entry.begun_at, entry.content_hash),
    )
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        by_name.setdefault(entry.submission, []).append(entry)
    return {name: Contents(tuple(by_name[name])) for name in sorted(by_name)}


def entry_labels(frame: pd.DataFrame) -> pd.Series[str]:
    """Each trial's submission, with its content if the frame has several contents of the name."""
    name = frame["submission"].astype(str)
    count = frame.groupby("submission")["content_hash"].transform("nunique")
    return name.where(count <= 1, name + "@" + frame["content_hash"].astype(str).str[:8])


def select_contents(frame: pd.DataFrame, allowed_rules: Collection[str]) -> pd.DataFrame:
    """The trials that are scored: the latest content of each name, or all contents if allowed."""
    if OLDER in allowed_rules:
        return frame
    latest = {name: of.latest.content_hash for name, of in contents_by_name(frame).items()}
    return frame[frame["content_hash"].eq(frame["submission"].map(latest))]


def content_flags(frame: pd.DataFrame, allowed_rules: Collection[str]) -> tuple[str, ...]:
    """Flags for names with several contents, from a frame with all contents."""
    flags = []
    for name, contents in contents_by_name(frame).items():
        if len(contents) > 1 and OLDER in allowed_rules:
            labels = ", ".join(entry.label for entry in contents.entries)
            flags.append(f"{OLDER}: {name} has {len(contents)} contents: {labels}")
        elif len(contents) > 1:
            latest = contents.latest
            flags.append(
                f"latest-content: {name} has {len(contents)} contents; scored is the latest, "
                f"{latest.content_hash[:8]} of {latest.begun_at[:16] or 'no known time'}; "
                f"--allow {OLDER} scores each as an entry of its own"
            )
    return tuple(flags)
