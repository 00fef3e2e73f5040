"""The data of a site: frames, and descriptions in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from scoring.evidence import NOT_READ, Evidence

Facts = Mapping[str, str]
"""Values in words, by name; they may contain text typed by users."""


@dataclass(frozen=True)
class Gap:
    """A source that could not be shown, and the reason."""

    place: str
    why: str


@dataclass(frozen=True)
class TrialDetail:
    """The data of a trial's record that are not in the results frame."""

    sections: Mapping[str, Facts]
    """Facts by title, such as `Environment`; shown unchanged."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Numbers of which a submission's page shows the median, by name."""


@dataclass(frozen=True)
class EntryDetail:
    """A submission's description."""

    summary: str = ""
    family: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """Its files' texts by name, if they are the content that ran."""


@dataclass(frozen=True)
class Sample:
    """A training example of a workload: a picture, or a text."""

    picture: str = ""
    """The data URL of a PNG."""
    text: str = ""
    label: str = ""
    """Its class, or the text's name."""


@dataclass(frozen=True)
class WorkloadDetail:
    """A workload's definition."""

    summary: str
    facts: Facts
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Withdrawal:
    """A withdrawn entry, and the reason."""

    suite: str
    ruleset: str
    submission: str
    reason: str


@dataclass(frozen=True)
class Change:
    """A change of a board, with date and reason."""

    at: str
    kind: str
    subject: str
    reason: str


@dataclass(frozen=True, eq=False)
class Material:
    """All data of a site."""

    frame: pd.DataFrame
    """Results (`scoring.columns.RESULTS`); no rows if nothing could be read."""
    curves: pd.DataFrame
    """Evaluations, and the values claimed by workers, with `split` `claimed`."""
    trials: Mapping[str, TrialDetail] = field(default_factory=dict)
    """By identity."""
    entries: Mapping[str, EntryDetail] = field(default_factory=dict)
    """By content hash."""
    workloads: Mapping[str, WorkloadDetail] = field(default_factory=dict)
    """By `suite/workload`."""
    machines: Mapping[str, str] = field(default_factory=dict)
    """Descriptions of hardware, by fingerprint."""
    withdrawn: tuple[Withdrawal, ...] = ()
    """The entries that are no longer among the results."""
    changes: tuple[Change, ...] = ()
    evidence: Evidence = NOT_READ
    gaps: tuple[Gap, ...] = ()
