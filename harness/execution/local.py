"""The executor of this machine: whole trials, one after the other, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.display.base import Display
from harness.plan.trial import Trial, TrialRecord
from harness.record.plan import record_of

if TYPE_CHECKING:
    from harness.execution.body import RunOptions


def run_local(
    trials: Sequence[Trial], store: Path, options: RunOptions, display: Display
) -> tuple[TrialRecord, ...]:
    """Run the trials that have no finished record; return what the store then holds of all.

    An interruption leaves what is finished in the store; the next call goes on with the rest.

    Args:
        trials: the plan's trials, in order.
        store: the folder of their records.
        options: sandbox, folders and threads of this machine.
        display: hears of every trial that runs.
    """
    from harness.execution.body import prepare, run_trial

    missing = [trial for trial in trials if record_of(trial, store).result is None]
    try:
        # Data are made before the first trial, so that no trial waits for its own.
        for number, trial in enumerate(missing, start=1):
            display.note(f"data of trial {number} of {len(missing)}")
            prepare(trial, options)
        for number, trial in enumerate(trials, start=1):
            if trial not in missing:
                continue
            display.begin(number, len(trials), trial)
            result = run_trial(trial, store, options, display)
            display.finish(TrialRecord(identity=trial.identity, trial=trial, result=result))
    finally:
        display.close()
    return tuple(record_of(trial, store) for trial in trials)
