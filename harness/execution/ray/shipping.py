"""Transfers a trial, its folder and its ledger entries to a node without the store, and back."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.execution.base import RunOptions
from harness.execution.remote import run_command, trial_command
from harness.plan.trial import Trial
from harness.record.ledger import Ledger
from harness.record.schema.ledger import AttemptEnded, LedgerEntry, Planned
from harness.record.store import EVENTS_FILE, TRIAL_FILE

LOCK_FILE = ".lock"
SHOWN_BYTES = 4000
"""How many bytes of the output of a trial's command are shown if it left no result."""


def check_shippable(trials: Iterable[Trial]) -> None:
    """Check that trials need no other files of the store than their own folders.

    Raises:
        HarnessError: one is a branch, which needs its trunk's checkpoint.
    """
    if branch := next((trial for trial in trials if trial.branch is not None), None):
        raise HarnessError(
            f"executor 'ray' does not copy the checkpoint that {branch.folder} starts from",
            "run branching trials where the store is: --executor local, pool or slurm",
        )


@dataclass(frozen=True)
class Shipment:
    """A trial's files and ledger entries in a store."""

    trial: Trial
    files: dict[str, bytes]
    """The files of its folder, by their paths in it."""
    entries: tuple[LedgerEntry, ...]
    """The trial's ledger entries, in order."""
    output: str = ""
    """The end of the command's output."""
    node_folder: str = ""
    """The folder on a node that keeps the trial until it is home; empty if it was not on one."""

    @classmethod
    def of(cls, trial: Trial, store: Path, ledger: Ledger, output: str = "") -> Shipment:
        """Collect a trial's files and ledger entries from a store."""
        folder = store / trial.folder
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {str(p.relative_to(folder)): p.read_bytes() for p in paths if p.name != LOCK_FILE}
        return cls(trial, files, tuple(ledger.entries_of(trial.identity)), output)

    def unpack(self, store: Path) -> None:
        """Write everything into a store that does not have the trial."""
        self._write_files(store, set(self.files))
        ledger = Ledger(store)
        for entry in self.entries:
            ledger.note(entry)

    def take_back(self, store: Path, ledger: Ledger, shipment: Shipment) -> None:
        """Write what is new since it was sent into a store, in the order in which a trial does.

        If that is interrupted, the ledger has no end whose events are missing, and a trial whose
        events are complete has ended.
        """
        new = [e for e in self.entries[len(shipment.entries) :] if not isinstance(e, Planned)]
        for entry in new:
            if not isinstance(entry, AttemptEnded):
                ledger.note(entry)
        self._write_files(store, set(self.files) - {TRIAL_FILE})
        for entry in new:
            if isinstance(entry, AttemptEnded):
                ledger.note(entry)
        self._write_files(store, set(self.files) & {TRIAL_FILE})

    def _write_files(self, store: Path, names: set[str]) -> None:
        """Write files, each atomically; the events and `trial.json`, by which it ends, last."""
        for name in sorted(names, key=lambda name: (name == TRIAL_FILE, name == EVENTS_FILE)):
            write_whole(store / self.trial.folder / name, self.files[name])


def run_shipment(shipment: Shipment, options: RunOptions) -> Shipment:
    """Run a trial on this machine in a temporary store; returns its files and entries.

    The store stays until `discard` is called, as what is returned may fail to be written at home.
    """
    folder = Path(mkdtemp(prefix="guided-descent-node-"))
    try:
        store, output = folder / "store", folder / "output"
        shipment.unpack(store)
        run_command(trial_command(shipment.trial, store, options), output)
        output_text = output.read_bytes()[-SHOWN_BYTES:].decode("utf-8", "replace")
        back = Shipment.of(shipment.trial, store, Ledger(store), output_text)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return replace(back, node_folder=str(folder))


def discard(node_folder: str) -> str:
    """Delete what a node kept of a trial that is home; returns the folder."""
    shutil.rmtree(node_folder, ignore_errors=True)
    return node_folder
