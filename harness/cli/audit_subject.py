"""The subject of an audit: a folder of records or a board, which also stores the findings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.cli.boards import BoardFolder
from harness.cli.bundles import is_code_of
from harness.core.errors import HarnessError
from harness.plan.trial import Trial, TrialRecord
from harness.record.ledger import Ledger
from harness.record.schema.audited import TrialAudited
from harness.record.standing import with_marks
from harness.record.store import read_record, record_paths
from harness.record.tables import audits_of, results_frame
from harness.submission.files import read_folder
from harness.verification.audit import AuditedTrial
from harness.verification.rerun import NoSuchTrialError, chosen_records


@dataclass(frozen=True)
class Subject:
    """The records to audit.

    Args:
        stores: the folders of the records.
        board: the board that contains these folders as bundles; None for a single folder.
    """

    stores: tuple[Path, ...]
    board: BoardFolder | None = None

    def find_records(self, names: Sequence[str]) -> list[TrialRecord]:
        """The records with these names (`harness.verification.rerun.chosen_records`).

        Raises:
            HarnessError: a name matches no trial, or several of one folder.
        """
        return [self._find_record(name) for name in names]

    def _find_record(self, name: str) -> TrialRecord:
        for store in self.stores[:-1]:
            try:
                return chosen_records(store, (name,), with_flagged=False)[0]
            except NoSuchTrialError:
                continue
        return chosen_records(self.stores[-1], (name,), with_flagged=False)[0]

    def latest(self) -> list[TrialRecord]:
        """The records that can be scored: for each submission, those of its latest content."""
        from scoring.entries import select_contents

        identities = set(select_contents(self._frame(), ())["identity"])
        records = [read_record(path) for store in self.stores for path in record_paths(store)]
        return [record for record in records if record.identity in identities]

    def _frame(self) -> pd.DataFrame:
        return pd.concat([results_frame(store) for store in self.stores], ignore_index=True)

    def locate(self, trial: Trial) -> Trial:
        """The trial with its submission located in its bundle, if the bundle contains the code."""
        ref = trial.submission
        is_elsewhere = ref.location.startswith("submissions/") or ":" in ref.location
        folder = self.board.code().get(ref.content_hash) if self.board else None
        if is_elsewhere or folder is None or not is_code_of(ref.content_hash, read_folder(folder)):
            return trial
        is_folder = any(folder.glob("submission*.py"))
        place = folder if is_folder else next(folder.glob("*.py"))
        reference = ref.model_copy(update={"location": str(place.resolve())})
        return trial.model_copy(update={"submission": reference})

    def note(self, audits: Iterable[AuditedTrial]) -> None:
        """Record the findings, each only once."""
        recorded_runs = {(event.identity, event.rerun) for event in self._events()}
        events = [one.event for one in audits]
        new = [event for event in events if (event.identity, event.rerun) not in recorded_runs]
        if self.board is not None:
            self.board.note_audits(new)
            return
        ledger = Ledger(self.stores[0])
        for event in new:
            ledger.note(event)

    def _events(self) -> list[TrialAudited]:
        return self.board.audits() if self.board else audits_of(self.stores[0])

    def marks(self, audits: Iterable[AuditedTrial]) -> list[str]:
        """The current marks of the audited entries, with reasons."""
        standings = self.board.standings() if self.board else {}
        frame = with_marks(self._frame(), self._events(), standings)
        hashes = {one.original.trial.submission.entry_hash for one in audits}
        ours = frame[frame["content_hash"].isin(hashes)].drop_duplicates(
            ["submission", "content_hash"]
        )
        columns = ["submission", "mark", "mark_reason"]
        return [
            f"{submission} is {mark}: {reason}" if reason else f"{submission} is {mark}"
            for submission, mark, reason in ours[columns].itertuples(index=False, name=None)
        ]


def subject_of(out: Path) -> Subject:
    """The subject of an audit, from a folder of records or a board.

    Raises:
        HarnessError: the board has no active bundle.
    """
    board = BoardFolder(out)
    if not board.is_board:
        return Subject((out,))
    stores = tuple(board.stores())
    if not stores:
        raise HarnessError(f"the board {out} shows no bundle", "add one: harness board add BUNDLE")
    return Subject(stores, board)
