"""The summary of a calibration: `workloads/<name>/calibration/<suite>.json`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import SupportsFloat

from harness.calibration.target import Curve, Direction, Noise, Rule, steps_to
from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.submission.reference import Framework, Scalar
from workloads.band import Band, calibration_file
from workloads.spec import (
    HORIZON_FRACTION,
    Count,
    Fraction,
    Frozen,
    Positive,
    ReferenceSpeed,
    Target,
)


def six_digits(value: SupportsFloat) -> float:
    """A number rounded to six significant digits, as summaries store it."""
    return float(f"{float(value):.6g}")


class TriedPoint(Frozen):
    """A point trained in one rung of successive halving."""

    point: dict[str, Scalar]
    rung_steps: Count
    final: float | None
    """The metric after the rung's last step; None if the trial ended earlier."""


class Speed(Frozen):
    """The speed of a baseline that trains alone on the machine."""

    step_s: Positive
    """The median seconds per step over the grid intervals of all timing trials."""
    trials: Count
    threads: Count
    hardware: str


class Baseline(Frozen):
    """A baseline: its tuning, and the results of its best point on fresh seeds."""

    submission: str
    content_hash: str
    best_point: dict[str, Scalar]
    tried: tuple[TriedPoint, ...]
    curves: tuple[Curve, ...]
    final_mean: float | None
    final_deviation: float | None
    """The standard deviation of the final metric over seeds."""
    speed: Speed | None
    """None if it was not timed."""
    at_target: Noise | None = None
    """How reliably it reaches the target; None before a target is chosen."""

    def times_s(self, target: Target) -> tuple[float, ...]:
        """Each seed's seconds to a target, at the baseline's own speed; infinite if it misses.

        Raises:
            HarnessError: a seed reaches the target, but the baseline was not timed.
        """
        steps = [steps_to(curve, target) for curve in self.curves]
        if not any(steps):
            return (math.inf,) * len(steps)
        if self.speed is None:
            raise HarnessError(
                f"baseline {self.submission} was not timed",
                f"harness calibrate --baselines {self.submission} --add --write times it",
            )
        return tuple(math.inf if n is None else n * self.speed.step_s for n in steps)


class Check(Frozen):
    """The check of whole studies under the new budget and target."""

    submission: str
    framework: Framework
    studies: Count
    trials_a_study: Count
    reached: int
    times_s: tuple[float | None, ...]
    """Each study's best time to the target, in seconds; None if no trial reached it."""


class Summary(Frozen):
    """All data from which target and budget were computed."""

    workload: str
    suite: str
    framework: Framework
    metric: str
    direction: Direction
    horizon_steps: Count
    horizon_fraction: Fraction = HORIZON_FRACTION
    rule: Rule
    target: Noise
    reference: ReferenceSpeed
    """The speed of reference training in torch, as measured by `harness.speed.reference_training`.
    """
    budget_s: Positive
    study_bests: tuple[float | None, ...]
    """The best value of each whole study of the first baseline, with budgets in steps."""
    baselines: tuple[Baseline, ...]
    """The baselines; the first one set target and budget."""
    checks: tuple[Check, ...] = ()
    """At most one per framework."""
    band: Band | None = None
    """The convergence band; see `harness.calibration.band`."""

    def with_baselines(self, baselines: Iterable[Baseline]) -> Summary:
        """The summary with more baselines; one with an existing name replaces it."""
        by_name = {baseline.submission: baseline for baseline in (*self.baselines, *baselines)}
        return self.model_copy(update={"baselines": tuple(by_name.values())})

    def with_check(self, check: Check) -> Summary:
        """The summary with a framework's check, which replaces an earlier one."""
        others = (one for one in self.checks if one.framework != check.framework)
        return self.model_copy(update={"checks": (*others, check)})


def budget_of(horizon_steps: int, reference: ReferenceSpeed) -> float:
    """The budget in seconds, rounded up to a tenth: that of horizon / 0.75 steps, plus the
    start-up.
    """
    runtime_s = horizon_steps / HORIZON_FRACTION * reference.step_s + reference.startup_s
    return math.ceil(runtime_s * 10.0) / 10.0


def summary_path(folder: Path, suite: str) -> Path:
    """The path of the summary of a workload's calibration in one suite."""
    return calibration_file(folder, suite)


def write_summary(path: Path, summary: Summary) -> None:
    """Write a summary as JSON, with each list of numbers on one line."""
    text = json.dumps(summary.model_dump(mode="json"), indent=1)
    flat = re.sub(r"\[[^\[\]{}]*\]", lambda numbers: re.sub(r"\s+", " ", numbers[0]), text)
    write_whole(path, flat + "\n")


def read_summary(path: Path) -> Summary:
    """Read a summary.

    Raises:
        HarnessError: there is no summary yet.
    """
    if not path.is_file():
        raise HarnessError(
            f"{path} is missing", "harness calibrate --write creates it, --check adds to it later"
        )
    return Summary.model_validate_json(path.read_text(encoding="utf-8"))
