"""The convergence band of a workload: where tuned baselines reach its target, and its edge.

A calibration writes it into `calibration/<suite>.json`, next to the curves that determine it
(`harness.calibration.band`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from workloads.spec import Count, Frozen, Positive


class Span(Frozen):
    """The times or steps of the best baseline's seeds, and the edge below which lies no seed."""

    baseline: str
    """The one with the smallest median."""
    seeds: Count
    """The number of seeds that reach the target."""
    fastest: Positive
    median: Positive
    slowest: Positive
    edge: Positive
    """Less than this is beyond the band."""


class Band(Frozen):
    """The band of one workload at one suite's size, in steps and in seconds."""

    target: float
    budget_s: Positive
    """On the calibration machine; seconds elsewhere are compared as fractions of the budget."""
    steps: Span
    seconds: Span

    def excess(self, time_s: float, steps: float, budget_s: float) -> str:
        """How a trial lies beyond the band, in words; "" if it does not.

        Steps are the worker's claim, and a step can do as much work as its author likes, so a small
        count is beyond the band only if the time is also below the fastest baseline's median.

        Args:
            time_s: the trial's time to the target.
            steps: the worker's count at that time; NaN if unknown.
            budget_s: the trial's budget, in seconds on its own machine.
        """
        scale = budget_s / self.budget_s
        if time_s < scale * self.seconds.edge:
            return _excess(time_s, self.seconds, scale, "s")
        if steps < self.steps.edge and time_s < scale * self.seconds.median:
            return _excess(steps, self.steps, 1.0, "steps")
        return ""


def _excess(value: float, span: Span, scale: float, unit: Literal["s", "steps"]) -> str:
    return (
        f"{value:.3g} {unit}, where the best tuned baseline, {span.baseline}, has a median of "
        f"{scale * span.median:.3g} and the band ends at {scale * span.edge:.3g}"
    )


def calibration_file(folder: Path, suite: str) -> Path:
    """The file with the results of a suite's calibration of a workload."""
    return folder / "calibration" / f"{suite}.json"


def read_band(folder: Path, suite: str) -> Band | None:
    """The band of a workload's folder at a suite; None where nothing is calibrated."""
    file = calibration_file(folder, suite)
    if not file.is_file():
        return None
    band = json.loads(file.read_text(encoding="utf-8")).get("band")
    return None if band is None else Band.model_validate(band)
