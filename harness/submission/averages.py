"""Weight averages for any submission: they are evaluated, and do not change the training.

The hyperparameter `average` selects one, over the iterates w_t after step `average_start`, taken
every `average_every` steps (k counts those):

    ema    mu_1 = w_1,  mu_k = beta mu_{k-1} + (1 - beta) w_k          beta: `average_decay`
    bema   mu_0 = w_0,  mu_k = (1 - beta_t) mu_{k-1} + beta_t w_k,   beta_t = (rho + gamma t)^-kappa
        evaluated: mu_k + alpha_t (w_k - w_0),                    alpha_t = (rho + gamma t)^-eta

with t the steps since the start, kappa `average_power` (0.5), eta `bias_power` (0.2), rho
`average_lag` (10) and gamma `average_multiplier` (1). BEMA's second term makes up for the lag of
the average behind w.

Sources: Block and Zhang (2025), Algorithm 1, with its defaults; EMA in the form of
`torch.optim.swa_utils.AveragedModel`. Deviation: BEMA is taken at every step by default, the source
at every 400th.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, SupportsFloat

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Hyperparameters, Problem, Stream, Submission
from harness.submission.state import ArrayT, StateDict, arrays_of, count_of, state_of

KINDS = ("none", "ema", "bema")
SETTINGS = (
    "average", "average_decay", "average_every", "average_lag", "average_multiplier",
    "average_power", "average_start", "bias_power",
)  # fmt: skip
"""The hyperparameters that are read here."""


class Arithmetic(Protocol[ArrayT]):
    """A framework's arithmetic on all parameters at once."""

    def copy(self, values: Mapping[str, ArrayT]) -> dict[str, ArrayT]:
        """Copies that later steps do not change."""
        ...

    def towards(
        self, average: dict[str, ArrayT], values: Mapping[str, ArrayT], weight: float
    ) -> dict[str, ArrayT]:
        """average + weight (values - average), possibly in place."""
        ...

    def shift(
        self,
        average: dict[str, ArrayT],
        values: Mapping[str, ArrayT],
        start: dict[str, ArrayT],
        weight: float,
    ) -> dict[str, ArrayT]:
        """average + weight (values - start), new arrays."""
        ...


def add_average(
    inner: Submission[ArrayT], hyperparameters: Hyperparameters, arithmetic: Arithmetic[ArrayT]
) -> Submission[ArrayT]:
    """Wrap the submission in the weight average that the point selects, if any.

    Raises:
        UnknownNameError: `average` is not one of `KINDS`.
        HarnessError: a decay or a number of steps is out of its range.
    """
    kind = str(hyperparameters.get("average", "none"))
    if kind not in KINDS:
        raise UnknownNameError("average", kind, KINDS)
    return inner if kind == "none" else AveragedSubmission(inner, kind, hyperparameters, arithmetic)


class AveragedSubmission(Generic[ArrayT]):
    """A submission whose average is evaluated; the inner one trains unchanged."""

    averages_weights = True

    def __init__(
        self,
        inner: Submission[ArrayT],
        kind: str,
        point: Hyperparameters,
        arithmetic: Arithmetic[ArrayT],
    ) -> None:
        self._inner = inner
        self._arithmetic = arithmetic
        self._is_ema = kind == "ema"
        self._decay = float(point.get("average_decay", 0.999))
        self._power = float(point.get("average_power", 0.5))
        self._bias_power = float(point.get("bias_power", 0.2))
        self._lag = float(point.get("average_lag", 10.0))
        self._multiplier = float(point.get("average_multiplier", 1.0))
        self._every = int(point.get("average_every", 1))
        self._begin = int(point.get("average_start", 0))
        self._steps = 0
        self._average: dict[str, ArrayT] = {}
        self._start: dict[str, ArrayT] = {}
        if not 0.0 <= self._decay < 1.0:
            raise HarnessError(f"average_decay is {self._decay}", "allowed: 0 <= beta < 1")
        if self._every < 1 or self._begin < 0:
            raise HarnessError(
                f"average_every is {self._every}, average_start {self._begin}",
                "allowed: at least 1 and at least 0 steps",
            )

    def setup(self, problem: Problem[ArrayT], hyperparameters: Hyperparameters) -> None:
        """Set the submission up; BEMA's w_0 are the parameters after that."""
        self._inner.setup(problem, hyperparameters)
        self._keep_start()

    def step(self, stream: Stream[ArrayT]) -> SupportsFloat | None:
        """One step of the submission, then of the average."""
        loss = self._inner.step(stream)
        self._steps += 1
        since = self._steps - self._begin
        if since == 0:
            self._keep_start()
        elif since > 0 and since % self._every == 0:
            self._take(since)
        return loss

    def eval_parameters(self) -> Mapping[str, ArrayT]:
        """The average; the submission's own before there is one."""
        live = self._inner.eval_parameters()
        since = self._steps - self._begin
        if not self._average or since <= 0:
            return live
        if self._is_ema:
            return self._average
        weight = self._fraction(since, self._bias_power)
        return self._arithmetic.shift(self._average, live, self._start, weight)

    def learning_rate(self) -> float | None:
        """The submission's."""
        return self._inner.learning_rate()

    def state_dict(self) -> StateDict[ArrayT]:
        """The submission's state, and the average's."""
        return {
            "inner": self._inner.state_dict(),
            "steps": self._steps,
            "average": self._average,
            "start": self._start,
        }

    def load_state_dict(self, state: StateDict[ArrayT]) -> None:
        """Put both back."""
        self._inner.load_state_dict(state_of(state, "inner"))
        self._steps = count_of(state, "steps")
        self._average = self._arithmetic.copy(arrays_of(state, "average"))
        self._start = self._arithmetic.copy(arrays_of(state, "start"))

    def _keep_start(self) -> None:
        if not self._is_ema:
            self._start = self._arithmetic.copy(self._inner.eval_parameters())
            self._average = self._arithmetic.copy(self._start)

    def _take(self, since: int) -> None:
        values = self._inner.eval_parameters()
        if self._is_ema and not self._average:
            self._average = self._arithmetic.copy(values)
            return
        weight = 1.0 - self._decay if self._is_ema else self._fraction(since, self._power)
        self._average = self._arithmetic.towards(self._average, values, weight)

    def _fraction(self, since: int, power: float) -> float:
        return float(min(1.0, (self._lag + self._multiplier * since) ** -power))
