"""Schedules made of others: spiked at periodic steps, or parted between kinds of parameters."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.errors import HarnessError
from harness.submission.interface import Schedule


class SchedulePair:
    """A schedule of hidden matrices and kernels, with one of all other parameters beside it.

    Args:
        matrices: the factor of hidden matrices and kernels, which a call returns.
        rest: the factor of all others.
    """

    def __init__(self, matrices: Schedule, rest: Schedule) -> None:
        self._matrices, self._rest = matrices, rest

    def __call__(self, fraction: float) -> float:
        """The factor of hidden matrices and kernels."""
        return self._matrices(fraction)

    def rest(self, fraction: float) -> float:
        """The factor of all others."""
        return self._rest(fraction)


class SpikeSchedule:
    """A schedule with its factor multiplied at periodic calls; one call is one step.

    Calls phase, phase + period, ... are spiked. With a preconditioner's refresh period and its
    method's phase, these are the steps that first use the refreshed *first* factor. The phase is 0
    if a factor is refreshed before the step in which it is due (kfac, ekfac, eshampoo, dfw), 1 if
    after it (soap, soap_muon, kl_shampoo, kl_soap, splus), and `start` - 1 modulo the period in
    shampoo and caspr. Methods here stagger their refreshes, factor j of n by j / n of the period,
    so at a spike the other factors are between one n-th of a period and nearly a period old. In the
    thesis all factors are fresh at a spike; here only the first is, unless soap, soap_muon or splus
    refreshes all at once (`stagger = false`).
    """

    def __init__(self, schedule: Schedule, factor: float, period: int, phase: int = 0) -> None:
        if period < 1:
            raise HarnessError(f"refresh_every is {period}", "allowed: 1, 2, ... steps")
        self._schedule = schedule
        self._factor = factor
        self._period = period
        self._phase = phase % period
        self._calls = 0

    def __call__(self, fraction: float) -> float:
        """The factor of the next step."""
        spike = self._factor if self._calls % self._period == self._phase else 1.0
        self._calls += 1
        return spike * self._schedule(fraction)

    def state_dict(self) -> dict[str, int]:
        """The number of calls so far."""
        return {"calls": self._calls}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Restore the number of calls."""
        self._calls = int(state["calls"])
