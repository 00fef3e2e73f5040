"""A board's folder: verified, unpacked bundles, and a log of all changes.

    BOARD/board.jsonl         hash-chained: added, withdrawn, superseded, marked, audited
                              (`board_log`)
          bundles/<SHA-256>/  each bundle as it was unpacked: store/, submissions/
          .lock               held while the board changes

Nothing is ever removed: a withdrawn bundle stays in place, and so do the records of a disqualified
entry; the log states the reason. A bundle is added once its line is in the log; a folder without a
line was left by an interrupted addition.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.cli.board_fit import require_fit
from harness.cli.board_log import (
    BOARD_EVENTS,
    BoardEvent,
    BundleAdded,
    BundleSuperseded,
    BundleWithdrawn,
    EntryMarked,
    ManualMark,
)
from harness.cli.bundles import STORE, SUBMISSIONS, sha256_file, unpack_bundle
from harness.cli.say import quote
from harness.core.errors import CannotWriteError, HarnessError
from harness.core.locks import lock
from harness.record.log import EventLog, read_lines
from harness.record.plain import Line
from harness.record.schema.audited import TrialAudited
from harness.record.standing import EntryKey, Standing
from harness.record.store import read_record, record_paths
from harness.verification.store import verify_store

LOG = "board.jsonl"
BUNDLES = "bundles"


@dataclass(frozen=True)
class BoardFolder:
    """A board's folder."""

    path: Path

    @property
    def is_board(self) -> bool:
        """Whether the folder is a board."""
        return (self.path / LOG).is_file()

    def lines(self) -> list[Line[BoardEvent]]:
        """The lines of its log, whose hash chain is verified."""
        return read_lines(self.path / LOG, BOARD_EVENTS) if self.is_board else []

    def active(self) -> dict[str, BundleAdded]:
        """The bundles that are shown, in the order of their addition."""
        bundles: dict[str, BundleAdded] = {}
        for line in self.lines():
            if isinstance(line.data, BundleAdded):
                bundles[line.data.bundle] = line.data
            elif isinstance(line.data, BundleWithdrawn | BundleSuperseded):
                bundles.pop(line.data.bundle, None)
        return bundles

    def folder(self, bundle: str) -> Path:
        """The folder of a bundle."""
        return self.path / BUNDLES / bundle

    def withdrawn_bundles(self) -> dict[str, BundleWithdrawn]:
        """The bundles that were withdrawn and not added again."""
        bundles: dict[str, BundleWithdrawn] = {}
        for line in self.lines():
            if isinstance(line.data, BundleWithdrawn):
                bundles[line.data.bundle] = line.data
            elif isinstance(line.data, BundleAdded):
                bundles.pop(line.data.bundle, None)
        return bundles

    def standings(self) -> dict[EntryKey, Standing]:
        """The latest manual mark of each entry."""
        return {
            EntryKey(e.submission, e.entry_hash): Standing(e.mark, e.reason)
            for e in (line.data for line in self.lines())
            if isinstance(e, EntryMarked)
        }

    def audits(self) -> list[TrialAudited]:
        """The audits of this board; an author's own audits, in a bundle's ledger, do not count."""
        return [line.data for line in self.lines() if isinstance(line.data, TrialAudited)]

    def stores(self) -> list[Path]:
        """The folders of records of the bundles that are shown."""
        return [self.folder(name) / STORE for name in self.active()]

    def code(self) -> dict[str, Path]:
        """The code folders of the entries that are shown, by content hash."""
        folders = [self.folder(name) / SUBMISSIONS for name in self.active()]
        return {path.name: path for folder in folders for path in folder.glob("*")}

    def note_audits(self, audits: Iterable[TrialAudited]) -> None:
        """Record the findings of an audit of this board."""
        with self._lock():
            self._append(*audits)

    def add(
        self, archive: Path, allow: tuple[str, ...] = (), *, supersedes: str = "", reason: str = ""
    ) -> BundleAdded | None:
        """Verify a bundle and add it; None if the board already shows it.

        Args:
            archive: the bundle.
            allow: rules that it may break.
            supersedes: the first digits of a bundle that it replaces, which is no longer shown; it
                is not scored together with it, so the two may share trials.
            reason: why it replaces that one.

        Raises:
            HarnessError: the file is not a bundle, its records have mismatches, or they break a
                rule of the board, which the message names.
        """
        name = sha256_file(archive) if archive.is_file() else ""
        if not name:
            raise HarnessError(f"there is no bundle '{archive}'", "harness bundle STORE")
        with self._draft() as draft:
            store = unpack_bundle(archive, draft)
            _require_verified(store, archive)
            with self._lock():
                old = self._find_superseded(supersedes, name, reason)
                added = None
                if name not in self.active():
                    self._require_fit(store, allow, old)
                    added = BundleAdded(bundle=name, entries=_entries(store), allow=allow)
                    if not self.folder(name).exists():
                        self.folder(name).parent.mkdir(exist_ok=True)
                        draft.rename(self.folder(name))
                    self._append(added)
                # Interrupted here, both are shown, and the same command continues.
                if old:
                    self._append(BundleSuperseded(bundle=old, by=name, reason=reason.strip()))
        return added

    def _find_superseded(self, bundle: str, by: str, reason: str) -> str:
        """The full name of the bundle that another one replaces; '' if there is none."""
        if not bundle:
            if reason:
                raise HarnessError(
                    "a reason is given, but no bundle that is superseded",
                    "--supersedes BUNDLE --reason TEXT",
                )
            return ""
        _require_reason(reason)
        old = self._find(bundle)
        if old == by:
            raise HarnessError(f"{old[:12]} cannot supersede itself", "name two bundles")
        return old

    def _require_fit(self, store: Path, allow: tuple[str, ...], old: str) -> None:
        """Check that a new bundle can be scored with those that remain without the old one."""
        others = {name: event for name, event in self.active().items() if name != old}
        allowed_rules = {*allow, *(rule for event in others.values() for rule in event.allow)}
        require_fit(store, [self.folder(name) / STORE for name in others], allowed_rules)

    def withdraw(self, bundle: str, reason: str) -> str:
        """Stop showing a bundle; returns its full name."""
        with self._lock():
            name = self._find(bundle)
            self._append(BundleWithdrawn(bundle=name, reason=_require_reason(reason)))
        return name

    def mark(self, submission: str, mark: ManualMark, reason: str) -> None:
        """Mark all shown entries of a submission."""
        with self._lock():
            refs = {
                read_record(path).trial.submission
                for store in self.stores()
                for path in record_paths(store)
            }
            ours = sorted({ref.entry_hash for ref in refs if ref.name == submission})
            if not ours:
                names = ", ".join(sorted({ref.name for ref in refs})) or "none"
                raise HarnessError(f"no entry '{submission}' is on the board", f"known: {names}")
            why = _require_reason(reason)
            self._append(
                *(
                    EntryMarked(submission=submission, entry_hash=entry_hash, mark=mark, reason=why)
                    for entry_hash in ours
                )
            )

    def _find(self, bundle: str) -> str:
        names = [name for name in self.active() if bundle and name.startswith(bundle)]
        if len(names) != 1:
            prefixes = ", ".join(name[:12] for name in self.active()) or "none"
            what = f"{len(names)} bundles on the board begin" if names else "no bundle begins"
            raise HarnessError(f"{what} with '{bundle}'", f"bundles that are shown: {prefixes}")
        return names[0]

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.path / ".lock").open("w") as file:
            lock(file)
            yield

    def _append(self, *events: BoardEvent) -> None:
        # Only now does the log exist: a folder whose first bundle was refused is not a board.
        with closing(EventLog(self.path / LOG)) as log:
            for event in events:
                log.append(event)

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.path))
        except OSError as error:
            raise CannotWriteError.of(self.path, error, "") from error
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _require_verified(store: Path, archive: Path) -> None:
    findings = verify_store(store).findings
    if findings:
        more = f" ({len(findings) - 1} more)" if findings[1:] else ""
        raise HarnessError(
            f"refused by rule 'unverified': {archive.name}: {findings[0]}{more}",
            f"all of them: {quote('harness', 'verify', archive, '--all')}",
        )


def _require_reason(reason: str) -> str:
    if not reason.strip():
        raise HarnessError("a reason is needed: it is shown on the board", '--reason "WHY"')
    return reason.strip()


def _entries(store: Path) -> tuple[str, ...]:
    names = {read_record(path).trial.submission.name for path in record_paths(store)}
    return tuple(sorted(names))
