"""What pages are made of: frames, and what stands beside them in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from scoring.evidence import NOT_READ, Evidence

Facts = Mapping[str, str]
"""Values in words, by what they are; whatever a user typed may be among them."""


@dataclass(frozen=True)
class Gap:
    """What could not be shown, and why."""

    place: str
    why: str


@dataclass(frozen=True)
class TrialDetail:
    """What a trial's record holds beside its row of the results frame."""

    sections: Mapping[str, Facts]
    """By title, such as `Environment`; shown as they are."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What a submission's page takes the median of, by what it is."""


@dataclass(frozen=True)
class EntryDetail:
    """What a submission's content says of itself."""

    summary: str = ""
    family: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    """Its texts by name, where they are the content that ran."""


@dataclass(frozen=True)
class Sample:
    """A training example of a workload: a picture, or a text."""

    picture: str = ""
    """The address of a PNG that holds it."""
    text: str = ""
    label: str = ""
    """Its class, or what the text is."""


@dataclass(frozen=True)
class WorkloadDetail:
    """A workload's definition."""

    summary: str
    facts: Facts
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Withdrawal:
    """An entry that was taken back: that it was there, and why it is not."""

    suite: str
    ruleset: str
    submission: str
    reason: str


@dataclass(frozen=True)
class Change:
    """What was done to a board, when and why; the reason of a withdrawal among them."""

    at: str
    kind: str
    subject: str
    reason: str


@dataclass(frozen=True, eq=False)
class Material:
    """All that a site shows."""

    frame: pd.DataFrame
    """Results (`scoring.columns.RESULTS`); no rows if nothing could be read."""
    curves: pd.DataFrame
    """Evaluations, and what the worker claimed between them, with `split` `claimed`."""
    trials: Mapping[str, TrialDetail] = field(default_factory=dict)
    """By identity."""
    entries: Mapping[str, EntryDetail] = field(default_factory=dict)
    """By content hash."""
    workloads: Mapping[str, WorkloadDetail] = field(default_factory=dict)
    """By `suite/workload`."""
    machines: Mapping[str, str] = field(default_factory=dict)
    """Hardware in words, by fingerprint."""
    withdrawn: tuple[Withdrawal, ...] = ()
    """The entries that are not among the results any more."""
    changes: tuple[Change, ...] = ()
    evidence: Evidence = NOT_READ
    gaps: tuple[Gap, ...] = ()
