"""Records as the material of a site: frames, and what the events say beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.bundles import STORE
from harness.cli.site_details import entry_detail, trial_detail, workload_detail
from harness.core.errors import HarnessError
from harness.plan.trial import Trial
from harness.record.attempts import Attempt
from harness.record.schema import Begin, SnapshotTaken
from harness.record.schema.audited import TrialAudited
from harness.record.standing import EntryKey, Standing, with_marks
from harness.record.store import last_attempt, read_record, record_paths
from harness.record.tables import curves_frame, results_frame
from harness.verification.store import verify_store

if TYPE_CHECKING:
    import pandas as pd

    from scoring.evidence import Evidence
    from scoring.site.material import Change, Gap, Material, Withdrawal

CURVE = ["identity", "time_s", "step", "examples", "fraction", "split", "metric", "value"]


@dataclass(frozen=True)
class Standings:
    """What the marks of entries follow from, beside their trials."""

    audits: tuple[TrialAudited, ...] = ()
    said: Mapping[EntryKey, Standing] = field(default_factory=dict)
    withdrawn: tuple[Withdrawal, ...] = ()

    def mark(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The results of all folders, each entry with one mark wherever its trials lie."""
        return with_marks(frame, self.audits, self.said)


NOTHING_SAID = Standings()


def read_material(
    stores: Iterable[Path],
    *,
    code: Mapping[str, Path] | None = None,
    changes: tuple[Change, ...] = (),
    standings: Standings = NOTHING_SAID,
    gaps: tuple[Gap, ...] = (),
) -> Material:
    """What a site shows of folders of records; a folder that cannot be read becomes a gap.

    Args:
        stores: folders, as `harness run` wrote them.
        code: folders with the code of entries, by content hash; otherwise this machine's is shown.
        changes: what was done to the board that the folders belong to.
        standings: what the mark of an entry follows from beside its trials.
        gaps: what could not be shown before any folder was read.
    """
    import pandas as pd

    from scoring.site.material import Gap, Material

    readable, frames, found = [], [], list(gaps)
    for store in stores:
        try:
            frames.append(results_of(store))
            readable.append(store)
        except (HarnessError, OSError) as error:
            found.append(Gap(_name(store), str(error).replace(str(store), _name(store))))
    attempts = dict(_attempts(readable))
    curves = [_curves(store) for store in readable]
    trials = {identity: trial for identity, (trial, _) in attempts.items()}
    return Material(
        frame=standings.mark(_targeted(frames, curves)) if frames else pd.DataFrame(),
        curves=_joined([*curves, _claims(attempts)]),
        trials={key: trial_detail(trial, attempt) for key, (trial, attempt) in attempts.items()},
        entries={
            t.submission.entry_hash: entry_detail(
                t.submission, (code or {}).get(t.submission.content_hash)
            )
            for t in _each(trials)
        },
        workloads={f"{t.suite}/{t.workload}": workload_detail(t) for t in _by_place(trials)},
        machines=_machines(attempts),
        withdrawn=standings.withdrawn,
        changes=changes,
        evidence=_evidence(readable),
        gaps=tuple(found),
    )


def results_of(store: Path) -> pd.DataFrame:
    """The results of a folder; records are named from inside it, wherever it lies."""
    frame = results_frame(store)
    inside = [Path(str(record)).relative_to(store).as_posix() for record in frame["record"]]
    return frame.assign(record=inside)


def _targeted(frames: list[pd.DataFrame], curves: list[pd.DataFrame]) -> pd.DataFrame:
    """The trials of all folders that a score has, with the targets that baselines set in any."""
    import pandas as pd

    from scoring.baselines import with_baseline_targets
    from scoring.widths import without_widths

    frame = pd.concat(frames, ignore_index=True)
    return without_widths(with_baseline_targets(frame, lambda: _joined(curves)))


def _name(store: Path) -> str:
    """A folder in words that tell nothing of the machine it lies on."""
    return store.name if store.name != STORE else f"bundle {store.parent.name[:12]}"


def _curves(store: Path) -> pd.DataFrame:
    return curves_frame(store)[CURVE]


def _joined(curves: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    filled = [part for part in curves if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=CURVE)


def _attempts(stores: Iterable[Path]) -> Iterator[tuple[str, tuple[Trial, Attempt | None]]]:
    """Each trial with its last attempt, as it counts."""
    for store in stores:
        for path in record_paths(store):
            record = read_record(path)
            yield record.identity, (record.trial, last_attempt(path.parent))


def _claims(attempts: dict[str, tuple[Trial, Attempt | None]]) -> pd.DataFrame:
    """Training loss and learning rate, as workers claimed them at their snapshots."""
    import pandas as pd

    rows = [
        (key, s.timed_s, s.step, s.claims.examples, s.fraction, "claimed", metric, value)
        for key, (_, attempt) in attempts.items()
        for s in (attempt.all(SnapshotTaken) if attempt else [])
        for metric, value in (
            ("train_loss", s.claims.train_loss),
            ("learning_rate", s.claims.learning_rate),
        )
        if value is not None
    ]
    return pd.DataFrame(rows, columns=CURVE)


def _each(trials: dict[str, Trial]) -> list[Trial]:
    """One trial of each entry."""
    return list({trial.submission.entry_hash: trial for trial in trials.values()}.values())


def _by_place(trials: dict[str, Trial]) -> list[Trial]:
    """One trial of each suite and workload."""
    return list({(trial.suite, trial.workload): trial for trial in trials.values()}.values())


def _machines(attempts: dict[str, tuple[Trial, Attempt | None]]) -> dict[str, str]:
    """Hardware in words, by fingerprint."""
    begins = [attempt.begin for _, attempt in attempts.values() if attempt is not None]
    words = {}
    for begin in begins:
        if isinstance(begin, Begin):
            machine = begin.hardware
            parts = [machine.accelerator] if machine.accelerator else []
            parts += [f"{machine.cores} cores of {machine.processor}"]
            words[begin.fingerprint] = ", ".join([*parts, f"{machine.memory_gib} GiB"])
    return words


def _evidence(stores: Iterable[Path]) -> Evidence:
    from scoring.evidence import Evidence

    found = [verify_store(store, replays=False) for store in stores]
    return Evidence(
        tuple(mismatch for verification in found for mismatch in verification.mismatches),
        tuple(folder for verification in found for folder in verification.missing),
    )
