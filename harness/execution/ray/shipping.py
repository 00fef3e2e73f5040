"""Transfers a trial, its folder and its ledger entries to a node without the store, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.execution.base import RunOptions
from harness.execution.remote import run_command, trial_command
from harness.plan.trial import Trial
from harness.record.ledger import Ledger
from harness.record.schema.ledger import LedgerEntry, Planned

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

    @classmethod
    def of(cls, trial: Trial, store: Path, ledger: Ledger, output: str = "") -> Shipment:
        """Collect a trial's files and ledger entries from a store."""
        folder = store / trial.folder
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {str(p.relative_to(folder)): p.read_bytes() for p in paths if p.name != LOCK_FILE}
        return cls(trial, files, tuple(ledger.entries_of(trial.identity)), output)

    def unpack(self, store: Path) -> None:
        """Write everything into a store that does not have the trial."""
        self.write_files(store)
        ledger = Ledger(store)
        for entry in self.entries:
            ledger.note(entry)

    def take_back(self, store: Path, ledger: Ledger, shipment: Shipment) -> None:
        """Write what is new since it was sent into a store; the ledger first, as a trial does."""
        for entry in self.entries[len(shipment.entries) :]:
            if not isinstance(entry, Planned):
                ledger.note(entry)
        self.write_files(store)

    def write_files(self, store: Path) -> None:
        """Write its files, each atomically; `trial.json`, which marks the end, comes last."""
        for name, content in sorted(self.files.items(), key=lambda item: item[0] == "trial.json"):
            write_whole(store / self.trial.folder / name, content)


def run_shipment(shipment: Shipment, options: RunOptions) -> Shipment:
    """Run a trial on this machine in a temporary store; returns its files and entries."""
    with TemporaryDirectory(prefix="guided-descent-node-") as name:
        store, output = Path(name) / "store", Path(name) / "output"
        shipment.unpack(store)
        run_command(trial_command(shipment.trial, store, options), output)
        output_text = output.read_bytes()[-SHOWN_BYTES:].decode("utf-8", "replace")
        return Shipment.of(shipment.trial, store, Ledger(store), output_text)
