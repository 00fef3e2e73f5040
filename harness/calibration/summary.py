"""What a calibration leaves behind: `workloads/<name>/calibration/<suite>.json`."""

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
    """A number as a summary keeps it, with six significant digits."""
    return float(f"{float(value):.6g}")


class TriedPoint(Frozen):
    """A point in one rung of successive halving."""

    point: dict[str, Scalar]
    rung_steps: Count
    final: float | None
    """The metric after the rung's last step; None if the trial did not get there."""


class Speed(Frozen):
    """How fast a baseline trained alone."""

    step_s: Positive
    """The median seconds a step over the grid intervals of all timing trials."""
    trials: Count
    threads: Count
    hardware: str


class Baseline(Frozen):
    """One baseline: how it was tuned and what its best point does on fresh seeds."""

    submission: str
    content_hash: str
    best_point: dict[str, Scalar]
    tried: tuple[TriedPoint, ...]
    curves: tuple[Curve, ...]
    final_mean: float | None
    final_deviation: float | None
    """The standard deviation of the final metric over seeds."""
    speed: Speed | None
    """None where it was not timed."""
    at_target: Noise | None = None
    """How it fares at the target; None before there is one."""

    def times_s(self, target: Target) -> tuple[float, ...]:
        """Seconds to a target of each seed, at the baseline's own speed; infinite where missed.

        Raises:
            HarnessError: some seed reaches it and the baseline was not timed.
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
    """Whole studies under the new budget and target."""

    submission: str
    framework: Framework
    studies: Count
    trials_a_study: Count
    reached: int
    times_s: tuple[float | None, ...]
    """Each study's best time to the target; None if no trial reached it."""


class Summary(Frozen):
    """Everything that the target and the budget were computed from."""

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
    """The speed of reference training in torch, as `harness.speed.reference_training` has it."""
    budget_s: Positive
    study_bests: tuple[float | None, ...]
    """The best value of each whole study of the first baseline, counted in steps."""
    baselines: tuple[Baseline, ...]
    """The first one set target and budget."""
    checks: tuple[Check, ...] = ()
    """One of a framework."""
    band: Band | None = None
    """Where the best of the baselines reach the target; see `harness.calibration.band`."""

    def with_baselines(self, baselines: Iterable[Baseline]) -> Summary:
        """The same with more baselines; one of a name that is there takes its place."""
        by_name = {baseline.submission: baseline for baseline in (*self.baselines, *baselines)}
        return self.model_copy(update={"baselines": tuple(by_name.values())})

    def with_check(self, check: Check) -> Summary:
        """The same with a framework's check, in place of one that was there."""
        others = (one for one in self.checks if one.framework != check.framework)
        return self.model_copy(update={"checks": (*others, check)})


def budget_of(horizon_steps: int, reference: ReferenceSpeed) -> float:
    """The budget in seconds, rounded up to a tenth: horizon / 0.75 steps and the start-up."""
    runtime_s = horizon_steps / HORIZON_FRACTION * reference.step_s + reference.startup_s
    return math.ceil(runtime_s * 10.0) / 10.0


def summary_path(folder: Path, suite: str) -> Path:
    """Where a workload keeps the summary of one suite's calibration."""
    return calibration_file(folder, suite)


def write_summary(path: Path, summary: Summary) -> None:
    """Write a summary as JSON, a list of numbers on one line."""
    text = json.dumps(summary.model_dump(mode="json"), indent=1)
    flat = re.sub(r"\[[^\[\]{}]*\]", lambda numbers: re.sub(r"\s+", " ", numbers[0]), text)
    write_whole(path, flat + "\n")


def read_summary(path: Path) -> Summary:
    """Read a summary.

    Raises:
        HarnessError: there is none yet.
    """
    if not path.is_file():
        raise HarnessError(
            f"{path} is missing", "harness calibrate --write makes it; --check adds to it later"
        )
    return Summary.model_validate_json(path.read_text(encoding="utf-8"))
