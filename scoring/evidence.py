"""Mismatches in the records behind a results frame, as breaches and flags."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.refusals import Breach


@dataclass(frozen=True)
class Evidence:
    """The mismatches in a folder of records; empty if there are none, or no records were read.

    Commands that score fill it as they read records (`harness.analysis.reading`); `scoring` itself
    reads none.
    """

    mismatches: tuple[str, ...] = ()
    """Descriptions of mismatches in identities, hash chains or the ledger."""
    missing_trials: tuple[str, ...] = ()
    """Folders of trials that are planned in the ledger but missing."""

    def breaches(self) -> list[Breach]:
        """A breach if trials of the ledger are missing."""
        if not self.missing_trials:
            return []
        trials = self.missing_trials
        names = ", ".join(trials[:3]) + (", ..." if trials[3:] else "")
        return [Breach("missing-records", f"{len(trials)} trials are not there: {names}")]

    def flags(self) -> tuple[str, ...]:
        """A flag if there are mismatches."""
        if not self.mismatches:
            return ()
        count = f"{len(self.mismatches)} mismatches, the first: " if self.mismatches[1:] else ""
        return (f"unverified: {count}{self.mismatches[0]}; all of them: harness verify OUT --all",)

    def join(self, other: Evidence) -> Evidence:
        """The evidence of this folder and another one together."""
        return Evidence(
            self.mismatches + other.mismatches, self.missing_trials + other.missing_trials
        )


NOT_READ = Evidence()
"""The evidence for results that were not read from records."""
