"""Records as the material of a site: frames, and what the events say beside them."""

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
from harness.record.tables import CurveRows, results_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from scoring.evidence import Evidence
    from scoring.site.material import Change, Gap, Material, TrialDetail, Withdrawal


class Place(NamedTuple):
    """Where an entry stands: on which board, and which one it is."""

    suite: str
    ruleset: str
    submission: str
    entry_hash: str

    @classmethod
    def of(cls, trial: Trial) -> Place:
        """The place of a trial's entry."""
        ref = trial.submission
        return cls(trial.suite, trial.ruleset, ref.name, ref.entry_hash)


@dataclass(frozen=True)
class Standings:
    """What is said of entries beside their trials."""

    audits: tuple[TrialAudited, ...] = ()
    own: frozenset[Path] = frozenset()
    """Folders that no board keeps: the audits in their ledgers count, too."""
    by_entry: Mapping[EntryKey, Standing] = field(default_factory=dict)
    withdrawn: Mapping[Place, str] = field(default_factory=dict)
    """Why entries were taken back; some may have been added again since."""


class SiteRows:
    """What a site shows of trials beside their results, as they are read."""

    def __init__(self) -> None:
        self.curves = CurveRows(with_claims=True)
        self.trials: dict[str, Trial] = {}
        """By identity."""
        self.details: dict[str, TrialDetail] = {}
        self.machines: dict[str, str] = {}
        """Hardware in words, by fingerprint."""

    def add(self, record: TrialRecord, attempt: Attempt | None) -> None:
        """Add a trial: what its record says, and its last attempt."""
        self.curves.add(record, attempt)
        self.trials[record.identity] = record.trial
        self.details[record.identity] = trial_detail(record.trial, attempt)
        if attempt is not None and isinstance(attempt.begin, Begin):
            self.machines[attempt.begin.fingerprint] = _machine(attempt.begin)

    def extend(self, other: SiteRows) -> None:
        """Add other trials."""
        self.curves.extend(other.curves)
        self.trials |= other.trials
        self.details |= other.details
        self.machines |= other.machines


class _Folders:
    """What was read of folders, each once.

    Args:
        gaps: what could not be shown before any folder was read.
    """

    def __init__(self, gaps: Iterable[Gap]) -> None:
        from scoring.evidence import NOT_READ

        self.rows, self.gaps = SiteRows(), list(gaps)
        self.frames: list[pd.DataFrame] = []
        self.evidence: Evidence = NOT_READ

    def read(self, store: Path) -> list[TrialAudited]:
        """Read a folder; the audits in its ledger. One that cannot be read becomes a gap."""
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
        curves: Callable[[], pd.DataFrame],
        audits: Iterable[TrialAudited],
        standings: Mapping[EntryKey, Standing],
    ) -> pd.DataFrame:
        """The trials of all folders that a score has, each entry with one mark in all of them.

        Targets that baselines set hold wherever the baselines lie.
        """
        import pandas as pd

        from scoring.baselines import with_baseline_targets
        from scoring.widths import without_widths

        if not self.frames:
            return pd.DataFrame()
        frame = pd.concat(self.frames, ignore_index=True)
        return with_marks(without_widths(with_baseline_targets(frame, curves)), audits, standings)


def read_material(
    stores: Iterable[Path],
    *,
    code: Mapping[str, Path] | None = None,
    changes: tuple[Change, ...] = (),
    standings: Standings,
    gaps: tuple[Gap, ...] = (),
) -> Material:
    """What a site shows of folders of records; a folder that cannot be read becomes a gap.

    Args:
        stores: folders, as `harness run` wrote them.
        code: folders with the code of entries, by content hash; otherwise this machine's is shown.
        changes: what was done to the board that the folders belong to.
        standings: what is said of entries beside their trials.
        gaps: what could not be shown before any folder was read.
    """
    from scoring.site.material import Material

    reader, audits = _Folders(gaps), list(standings.audits)
    for store in stores:
        in_ledger = reader.read(store)
        audits += in_ledger if store in standings.own else []
    rows, curves = reader.rows, cache(reader.rows.curves.frame)
    trials, folders = rows.trials.values(), code or {}
    refs = {trial.submission.entry_hash: trial.submission for trial in trials}
    by_workload = {(trial.suite, trial.workload): trial for trial in trials}
    return Material(
        frame=reader.frame(curves, audits, standings.by_entry),
        curves=curves(),
        trials=rows.details,
        entries={key: entry_detail(r, folders.get(r.content_hash)) for key, r in refs.items()},
        workloads={f"{t.suite}/{t.workload}": workload_detail(t) for t in by_workload.values()},
        machines=rows.machines,
        withdrawn=_withdrawals(standings.withdrawn, set(map(Place.of, trials))),
        changes=changes,
        evidence=reader.evidence,
        gaps=tuple(reader.gaps),
    )


def results_of(store: Path) -> pd.DataFrame:
    """The results of a folder; records are named from inside it, wherever it lies."""
    return _from_inside(results_frame(store), store)


def _from_inside(frame: pd.DataFrame, store: Path) -> pd.DataFrame:
    inside = [Path(str(record)).relative_to(store).as_posix() for record in frame["record"]]
    return frame.assign(record=inside)


def _name(store: Path) -> str:
    """A folder in words that tell nothing of the machine it lies on."""
    return store.name if store.name != STORE else f"bundle {store.parent.name[:12]}"


def _withdrawals(reasons: Mapping[Place, str], present: set[Place]) -> tuple[Withdrawal, ...]:
    """The entries that were taken back and of which no trial is shown."""
    from scoring.site.material import Withdrawal

    return tuple(
        Withdrawal(place.suite, place.ruleset, place.submission, reason)
        for place, reason in sorted(reasons.items())
        if place not in present
    )


def _machine(begin: Begin) -> str:
    """A machine's hardware in words."""
    machine = begin.hardware
    parts = [machine.accelerator] if machine.accelerator else []
    parts += [f"{machine.cores} cores of {machine.processor}", f"{machine.memory_gib} GiB"]
    return ", ".join(parts)
