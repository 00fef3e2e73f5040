"""What a look at the records behind a results frame found, as breaches and flags."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.refusals import Breach


@dataclass(frozen=True)
class Evidence:
    """What of a folder of records does not fit itself; empty where all fits, or nothing was read.

    `harness score` and its relatives fill it as they read records (`harness.analysis.reading`);
    `scoring` reads none.
    """

    mismatches: tuple[str, ...] = ()
    """Where an identity, a chain or the ledger does not fit, and how."""
    missing_trials: tuple[str, ...] = ()
    """Folders of trials that the ledger planned and the records lack."""

    def breaches(self) -> list[Breach]:
        """A breach if trials are missing that the ledger has."""
        if not self.missing_trials:
            return []
        trials = self.missing_trials
        names = ", ".join(trials[:3]) + (", ..." if trials[3:] else "")
        return [Breach("missing-records", f"{len(trials)} trials are not there: {names}")]

    def flags(self) -> tuple[str, ...]:
        """A flag if records do not fit."""
        if not self.mismatches:
            return ()
        count = f"{len(self.mismatches)} mismatches, the first: " if self.mismatches[1:] else ""
        return (f"unverified: {count}{self.mismatches[0]}; all of them: harness verify OUT --all",)

    def join(self, other: Evidence) -> Evidence:
        """What was found in this folder and in another one."""
        return Evidence(
            self.mismatches + other.mismatches, self.missing_trials + other.missing_trials
        )


NOT_READ = Evidence()
"""Of results that come from elsewhere than records."""
