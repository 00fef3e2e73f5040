"""Attribute a difference in seconds to the number of steps and the cost of a step.

In a study in which both entries reached the target, for the trial that counts,

    log(s_B / s_A) = log(n_B / n_A) + log(c_B / c_A),    c = s / n,

with seconds s and steps n to the target, and seconds per step c. All three terms are averaged over
studies and workloads in the same way, so the factor in seconds is the product of the other two.

Two ports of one method search the same points on the same instances. For them, each trial is
compared with its counterpart, which should need the same number of steps; the best trials of a
study need not be counterparts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import t as student

from scoring.clock import CLOCKS
from scoring.frame import finished_trials
from scoring.paired import scored_columns
from scoring.rules import Rules
from scoring.sequential import sequential_test
from scoring.studies import by_identity, study_table
from scoring.times import Array, Times, from_table

LEVEL = 0.95


@dataclass(frozen=True)
class Part:
    """A factor, above 1 if A is better, and the ends of its interval at `LEVEL`."""

    factor: float
    low: float
    high: float

    @property
    def is_within_noise(self) -> bool:
        """Whether the interval contains 1."""
        return self.low <= 1.0 <= self.high

    def __str__(self) -> str:
        return f"{self.factor:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Attribution:
    """The factor in seconds of A over B as the product of the factors in steps and in step cost."""

    a: str
    b: str
    seconds: Part
    steps: Part
    step_cost: Part
    studies: int
    """The number of studies, over all workloads, in which both reached the target; for ports, of
    trials."""
    method: str
    """The submission of which both are ports to different frameworks; '' if they are not."""

    def sentence(self) -> str:
        """The cause of the difference, in words."""
        text = (
            f"seconds {self.seconds} = steps {self.steps} x cost of a step {self.step_cost}, "
            f"over {self.studies} {'trials' if self.method else 'studies'} that both reached"
        )
        return f"{text}; {self.remark}" if self.method else text

    @property
    def remark(self) -> str:
        """For two ports of one method, whether their step counts agree; '' for two methods."""
        if not self.method:
            return ""
        same = (
            f"two ports of {self.method} whose steps differ within noise"
            if self.steps.is_within_noise
            else f"two ports of {self.method} whose steps differ beyond noise: not one method"
        )
        if self.seconds.is_within_noise:
            return f"{same}, and so do their seconds"
        if self.step_cost.is_within_noise:
            return same
        dearer = self.b if self.step_cost.factor > 1 else self.a
        return f"{same}; a step of {dearer} costs more seconds"

    def to_json(self) -> dict[str, object]:
        """All numbers by name, for JSON."""
        parts = {"seconds": self.seconds, "steps": self.steps, "step_cost": self.step_cost}
        return {
            "studies": self.studies,
            "ports_of": self.method or None,
            **{n: {"factor": p.factor, "low": p.low, "high": p.high} for n, p in parts.items()},
        }


class Attributor:
    """Attributes differences in seconds between the entries of a board.

    Args:
        frame: the scored trials (`scoring.evaluate.scored_trials`).
        rules: the scoring rules, which determine the workloads that count.
    """

    def __init__(self, frame: pd.DataFrame, rules: Rules) -> None:
        self._finished_trials, self._rules = finished_trials(frame), rules
        self._made_of = {
            str(entry): (set(part["submission"].astype(str)), set(part["framework"].astype(str)))
            for entry, part in frame.groupby("entry")
        }

    def of(self, a: str, b: str) -> Attribution | None:
        """The difference between two entries by steps and step cost.

        Returns:
            The attribution, or None if no workload has two studies in which both reached the
            target, or steps are unknown.
        """
        method = self.common_method(a, b)
        kinds = self._all if method else self._best
        if not {a, b} <= set(kinds[0].submissions):
            return None
        seconds, steps = (self._log_ratios(times, a, b) for times in kinds)
        both = np.isfinite(seconds) & np.isfinite(steps)
        both &= both.sum(axis=1, keepdims=True) > 1
        if not both.any():
            return None
        in_seconds, in_steps, in_cost = (
            _part(np.where(both, ratios, np.nan)) for ratios in (seconds, steps, seconds - steps)
        )
        return Attribution(a, b, in_seconds, in_steps, in_cost, int(both.sum()), method)

    def common_method(self, a: str, b: str) -> str:
        """The submission of which two entries are ports to different frameworks; '' otherwise."""
        (names, frameworks), (others, other_frameworks) = self._made_of[a], self._made_of[b]
        return next(iter(names)) if names == others and not frameworks & other_frameworks else ""

    @cached_property
    def _best(self) -> tuple[Times, Times]:
        """Seconds and steps of each study's counting trial."""
        table = study_table(self._finished_trials, CLOCKS["seconds"])
        steps = by_identity(self._finished_trials, "steps_to_target").astype(float)
        return _times(table, table["time_to_target_s"], table["identity"].map(steps))

    @cached_property
    def _all(self) -> tuple[Times, Times]:
        """The same for every trial of ports, with each trial as a study of its own."""
        frameworks = self._finished_trials.groupby("submission")["framework"].transform("nunique")
        trials = self._finished_trials[frameworks > 1]
        seconds = (
            trials["time_to_target_s"].astype(float).where(trials["state"] == "reached", np.inf)
        )
        place = trials["study"].map("{:05d}".format) + trials["trial"].map("/{:05d}".format)
        table = pd.DataFrame(
            {"submission": trials["entry"], "workload": trials["column"], "study": place}
        )
        return _times(table, seconds.fillna(np.inf), trials["steps_to_target"].astype(float))

    def _log_ratios(self, times: Times, a: str, b: str) -> Array:
        """log B - log A, (W, K); infinite or NaN if one of the two did not reach the target."""
        both = times.take([a, b])
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.log(both.hit[:, scored_columns(both.workloads, self._rules)])
            return np.asarray(logs[1] - logs[0])


def attribute(frame: pd.DataFrame, a: str, b: str, rules: Rules) -> Attribution | None:
    """The attribution of a single pair; see `Attributor.of`."""
    return Attributor(frame[frame["entry"].isin([a, b])], rules).of(a, b)


def attributions(frame: pd.DataFrame, names: Sequence[str], rules: Rules) -> list[Attribution]:
    """Attributions of the first entry against every other, and between ports of one method.

    Args:
        frame: the scored trials.
        names: the entries, best first.
        rules: the scoring rules, which determine the workloads that count.
    """
    attributor = Attributor(frame, rules)
    against_first = [(names[0], name) for name in names[1:]]
    ports = [pair for pair in combinations(names, 2) if attributor.common_method(*pair)]
    candidates = (attributor.of(a, b) for a, b in dict.fromkeys([*against_first, *ports]))
    return [attribution for attribution in candidates if attribution is not None]


def _times(
    table: pd.DataFrame, seconds: pd.Series[float], steps: pd.Series[float]
) -> tuple[Times, Times]:
    """Two columns of a frame as study times, by submission, workload and study."""
    first, second = (from_table(table.assign(time_to_target_s=each)) for each in (seconds, steps))
    return first, second


def _part(ratios: Array) -> Part:
    """The mean of log ratios with the interval of the t-test of `scoring.paired`."""
    test = sequential_test(ratios)
    deviation = math.sqrt(test.squares / test.freedom * test.variance)
    freedom = test.welch if math.isfinite(test.welch) else test.freedom
    half = float(student.ppf((1 + LEVEL) / 2, freedom)) * deviation
    return Part(test.factor, math.exp(test.mean - half), math.exp(test.mean + half))
