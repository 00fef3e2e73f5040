"""The freezer: stops a trial's worker, and checks that it stays frozen and that nothing it has
started continues on another device.
"""

from __future__ import annotations

import time

from harness.plan.trial import TrialBudget
from harness.referee.clock import Clock
from harness.referee.ending import TrialEndedError
from harness.referee.idle import IdleProbe
from harness.sandboxes.base import WorkerProcess

FREE_S = 0.02
"""The time that freezing may take, from the end of a snapshot until everything has stopped, before
it counts as timed."""


class Freezer:
    """Keeps a worker frozen while the clock is stopped.

    Args:
        worker: the process group to freeze and thaw.
        idle: checks whether the device is idle.
        budget: the trial's budget, which determines how long the device may be found busy.
        clock: accounts the time of freezing, thawing and checking.
    """

    def __init__(
        self, worker: WorkerProcess, idle: IdleProbe, budget: TrialBudget, clock: Clock
    ) -> None:
        self._worker, self._idle, self._budget, self._clock = worker, idle, budget, clock
        self._busy_s = self._late_s = 0.0

    def freeze(self) -> None:
        """Freeze the worker.

        Raises:
            TrialEndedError: it does not freeze, or has left work on the device.
        """
        with self._clock.account("freeze"):
            start_s = time.monotonic()
            is_frozen = self._worker.freeze()
            self._late_s = max(0.0, time.monotonic() - start_s - FREE_S)
        self._clock.mark_frozen()
        if not is_frozen:
            raise TrialEndedError("invalid", "a thread of the worker could not be stopped")
        self._probe_device()

    def thaw(self) -> None:
        """Let the worker continue. If it was slow to freeze, that time is added to the clock now.

        The time of the previous snapshot is not affected.

        Raises:
            TrialEndedError: a part of it has run since it was frozen.
        """
        self._probe_device()
        with self._clock.account("thaw"):
            if not self._worker.has_stayed_frozen():
                raise TrialEndedError("invalid", "the worker ran while the clock was stopped")
            self._worker.thaw()
        self._clock.charge("freeze", self._late_s)
        self._late_s = 0.0

    def _probe_device(self) -> None:
        if self._budget.steps is not None:
            return  # not scored; several such trials may share a device
        with self._clock.account("probe_of_device"):
            self._busy_s += self._idle.busy_s()
        if why := self._idle.why_too_long(self._busy_s, self._budget.runtime_s):
            raise TrialEndedError("invalid", why)
