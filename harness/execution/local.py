"""The executor `local`: runs trials one after the other in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from harness.core.errors import HarnessError
from harness.display.base import Display
from harness.execution.base import RunOptions, refuse_profile
from harness.plan.trial import Trial, TrialRecord
from harness.record.plan import record_of, unfinished_trials


class LocalExecutor:
    """Runs one trial at a time, so that each has the machine to itself and can be timed.

    Args:
        store: the folder of the trials' records.
        display: is notified of every trial that runs.
        jobs: how many trials at once; only 1 is accepted.
        profile: only None is accepted, since there are no machines to request.

    Raises:
        HarnessError: several jobs are asked for, or there is a profile.
    """

    is_serial = True

    def __init__(
        self, store: Path, display: Display, *, jobs: int = 1, profile: Path | None = None
    ) -> None:
        refuse_profile("local", profile)
        if jobs != 1:
            raise HarnessError(
                f"executor 'local' runs one trial at a time, not {jobs}", "leave out --jobs"
            )
        self._store, self._display = store, display

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._display.close()

    def run(self, trials: Sequence[Trial], options: RunOptions) -> tuple[TrialRecord, ...]:
        """Run the trials that have no finished record; return the records of all."""
        from harness.execution.resolved import prepare_data
        from harness.execution.trial import run_trial

        pending = unfinished_trials(trials, self._store)
        # Data are made before the first trial, so that no trial waits for its own.
        for number, trial in enumerate(pending, start=1):
            self._display.note(f"preparing data of trial {number} of {len(pending)}")
            prepare_data(trial, options)
        identities = {trial.identity for trial in pending}
        for number, trial in enumerate(trials, start=1):
            if trial.identity not in identities:
                continue
            self._display.begin(number, len(trials), trial)
            result = run_trial(trial, self._store, options, self._display)
            self._display.finish(TrialRecord(identity=trial.identity, trial=trial, result=result))
        return tuple(record_of(trial, self._store) for trial in trials)
