"""Entries: a submission's name and content, and which contents of a name a score has.

Whoever edits a submission and runs it again has a new entry under the old name. By default the
latest content of each name is scored; the older ones are left out, and the scoreboard says so and
how many there were. `--allow older-contents` scores each as an entry of its own. The choice is made
here and nowhere else, by `scoring.evaluate.score_results` for a scoreboard and once more, from the
same frame, by whoever shows the trials behind it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

OLDER = "older-contents"
"""The rule that is overridden to score every content of a name."""


@dataclass(frozen=True)
class Entry:
    """What a board ranks: a submission's name and its content."""

    submission: str
    content_hash: str
    begun_at: str
    """When the last of its trials began; '' if none has."""

    @property
    def label(self) -> str:
        """Its name where a frame has several contents of the submission."""
        return f"{self.submission}@{self.content_hash[:8]}"


@dataclass(frozen=True)
class Contents:
    """The contents of one name in a results frame, the latest last."""

    entries: tuple[Entry, ...]

    @property
    def latest(self) -> Entry:
        """The one whose trial began last."""
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
    """Each trial's submission, with its content where the frame has several of that name."""
    name = frame["submission"].astype(str)
    count = frame.groupby("submission")["content_hash"].transform("nunique")
    return name.where(count <= 1, name + "@" + frame["content_hash"].astype(str).str[:8])


def select_contents(frame: pd.DataFrame, allowed_rules: Collection[str]) -> pd.DataFrame:
    """The trials that are scored: of each name the latest content, or all if that is allowed."""
    if OLDER in allowed_rules:
        return frame
    latest = {name: of.latest.content_hash for name, of in contents_by_name(frame).items()}
    return frame[frame["content_hash"].eq(frame["submission"].map(latest))]


def content_flags(frame: pd.DataFrame, allowed_rules: Collection[str]) -> tuple[str, ...]:
    """What became of names with several contents, given the frame that has all of them."""
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
