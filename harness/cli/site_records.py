"""Prepare records for a site: frames, and details from the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness.analysis.reading import gather
from harness.cli.bundles import STORE
from harness.cli.site_details import entry_detail, trial_detail, workload_detail
from harness.core.errors import HarnessError
from harness.plan.trial import Trial, TrialRecord
from harness.record.attempts import Attempt
from harness.record.schema import Begin
from harness.record.schema.audited import TrialAudited
from harness.record.standing import EntryKey, Standing, with_marks
from harness.record.tables import CurveRows

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from scoring.evidence import Evidence
    from scoring.site.material import Change, Gap, Material, TrialDetail, Withdrawal


class BoardEntry(NamedTuple):
    """The key of an entry on a site: its board and its content."""

    suite: str
    ruleset: str
    submission: str
    entry_hash: str

    @classmethod
    def of(cls, trial: Trial) -> BoardEntry:
        """The entry of a trial."""
        ref = trial.submission
        return cls(trial.suite, trial.ruleset, ref.name, ref.entry_hash)


@dataclass(frozen=True)
class Standings:
    """Marks, audits and withdrawals of entries."""

    audits: tuple[TrialAudited, ...] = ()
    own: frozenset[Path] = frozenset()
    """Folders outside boards, whose ledgers' audits count, too."""
    by_entry: Mapping[EntryKey, Standing] = field(default_factory=dict)
    withdrawn: Mapping[BoardEntry, str] = field(default_factory=dict)
    """Reasons of withdrawn entries, some of which may have been added again since."""


class SiteRows:
    """Gathers the data of trials that a site shows beside their results."""

    def __init__(self) -> None:
        self.curves = CurveRows(with_claims=True)
        self.trials: dict[str, Trial] = {}
        """Trials by identity."""
        self.details: dict[str, TrialDetail] = {}
        self.machines: dict[str, str] = {}
        """Descriptions of hardware, by fingerprint."""

    def add(self, record: TrialRecord, attempt: Attempt | None) -> None:
        """Add a trial's record and last attempt."""
        self.curves.add(record, attempt)
        self.trials[record.identity] = record.trial
        self.details[record.identity] = trial_detail(record.trial, attempt)
        if attempt is not None and isinstance(attempt.begin, Begin):
            self.machines[attempt.begin.fingerprint] = _machine(attempt.begin)

    def extend(self, other: SiteRows) -> None:
        """Add the trials of another gatherer."""
        self.curves.extend(other.curves)
        self.trials |= other.trials
        self.details |= other.details
        self.machines |= other.machines


class Folders:
    """The data of all folders; each folder is read once.

    Args:
        gaps: sources that could not be read so far.
    """

    def __init__(self, gaps: Iterable[Gap] = ()) -> None:
        from scoring.evidence import NOT_READ

        self.rows, self.gaps = SiteRows(), list(gaps)
        self.curves: Callable[[], pd.DataFrame] = cache(self.rows.curves.frame)
        """Returns the curves; to be called once all folders have been read."""
        self.frames: list[pd.DataFrame] = []
        self.evidence: Evidence = NOT_READ

    def read(self, store: Path) -> list[TrialAudited]:
        """Read a folder and return its ledger's audits. An unreadable folder becomes a gap."""
        from scoring.site.material import Gap

        try:
            reading = gather(store, SiteRows)
        except (HarnessError, OSError) as error:
            name = _name(store)
            self.gaps.append(Gap(name, str(error).replace(str(store), name)))
            return []
        self.rows.extend(reading.gatherer)
        self.frames.append(_from_inside(reading.results, store))
        self.evidence = self.evidence.join(reading.evidence)
        return list(reading.audits)

    def frame(
        self,
        audits: Iterable[TrialAudited] = (),
        standings: Mapping[EntryKey, Standing] | None = None,
    ) -> pd.DataFrame:
        """The scored trials of all folders; an entry has the same mark in each of them.

        Targets set by baselines apply in all folders.
        """
        import pandas as pd

        from scoring.baselines import with_baseline_targets
        from scoring.widths import without_widths

        if not self.frames:
            return pd.DataFrame()
        frame = pd.concat(self.frames, ignore_index=True)
        scored = without_widths(with_baseline_targets(frame, self.curves))
        return with_marks(scored, audits, standings)


def read_material(
    stores: Iterable[Path],
    *,
    code: Mapping[str, Path] | None = None,
    changes: tuple[Change, ...] = (),
    standings: Standings,
    gaps: tuple[Gap, ...] = (),
) -> Material:
    """The material of a site from folders of records; an unreadable folder becomes a gap.

    Args:
        stores: folders of records, as `harness run` writes them.
        code: folders with the code of entries, by content hash; for other entries this machine's
            code is shown.
        changes: the changes in the log of the folders' board.
        standings: marks, audits and withdrawals of entries.
        gaps: sources that could not be read so far.
    """
    from scoring.site.material import Material

    reader, audits = Folders(gaps), list(standings.audits)
    for store in stores:
        in_ledger = reader.read(store)
        audits += in_ledger if store in standings.own else []
    rows, folders = reader.rows, code or {}
    trials = rows.trials.values()
    refs = {trial.submission.entry_hash: trial.submission for trial in trials}
    by_workload = {(trial.suite, trial.workload): trial for trial in trials}
    return Material(
        frame=reader.frame(audits, standings.by_entry),
        curves=reader.curves(),
        trials=rows.details,
        entries={key: entry_detail(r, folders.get(r.content_hash)) for key, r in refs.items()},
        workloads={f"{t.suite}/{t.workload}": workload_detail(t) for t in by_workload.values()},
        machines=rows.machines,
        withdrawn=_withdrawals(standings.withdrawn, set(map(BoardEntry.of, trials))),
        changes=changes,
        evidence=reader.evidence,
        gaps=tuple(reader.gaps),
    )


def _from_inside(frame: pd.DataFrame, store: Path) -> pd.DataFrame:
    inside = [Path(str(record)).relative_to(store).as_posix() for record in frame["record"]]
    return frame.assign(record=inside)


def _name(store: Path) -> str:
    """A folder's name, without its path on this machine."""
    return store.name if store.name != STORE else f"bundle {store.parent.name[:12]}"


def _withdrawals(
    reasons: Mapping[BoardEntry, str], present: set[BoardEntry]
) -> tuple[Withdrawal, ...]:
    """The withdrawn entries without any trial that is shown."""
    from scoring.site.material import Withdrawal

    return tuple(
        Withdrawal(place.suite, place.ruleset, place.submission, reason)
        for place, reason in sorted(reasons.items())
        if place not in present
    )


def _machine(begin: Begin) -> str:
    """A description of a machine's hardware."""
    machine = begin.hardware
    parts = [machine.accelerator] if machine.accelerator else []
    parts += [f"{machine.cores} cores of {machine.processor}", f"{machine.memory_gib} GiB"]
    return ", ".join(parts)
