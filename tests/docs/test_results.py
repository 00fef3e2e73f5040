"""docs/RESULTS.md states the calibration that is committed beside each workload."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.calibration.summary import read_summary, summary_path
from harness.providers.registry import workload

TEXT = (Path(__file__).parents[2] / "docs" / "RESULTS.md").read_text()
ROW = re.compile(
    r"^\| `(\w+)` \| (\w+) ([\d.]+) \| ([\d.]+) \| (\d+) steps, .* \| (\d+) of (\d+) \| (\d+) % \|",
    re.MULTILINE,
)
ROWS = {row[0]: row[1:] for row in ROW.findall(TEXT)}


@pytest.mark.parametrize("name", ["mlp", "rnn", "resnet", "lm"])
def test_the_calibration_is_as_committed(name: str) -> None:
    summary = read_summary(summary_path(workload(name).folder, "quick"))
    target = summary.target
    assert target.median_steps is not None and target.variation is not None
    metric, *numbers = ROWS[name]
    assert metric == summary.metric
    assert [float(number) for number in numbers] == [
        target.value,
        summary.budget_s,
        round(target.median_steps),
        target.reached,
        target.seeds,
        round(100 * target.variation),
    ]
