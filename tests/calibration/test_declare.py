"""Writing a calibration's outcome into `workload.toml` keeps everything else."""

from __future__ import annotations

import tomllib

import pytest

from harness.calibration.declare import changed_text
from harness.core.errors import HarnessError
from harness.providers.table import WORKLOADS_ROOT

TEXT = (WORKLOADS_ROOT / "mlp" / "workload.toml").read_text(encoding="utf-8")


def test_only_the_named_keys_change() -> None:
    changes = {
        ("suites.quick.target", "value"): "0.123",
        ("suites.quick.budget", "horizon_steps"): "77",
    }
    changed = tomllib.loads(changed_text(TEXT, changes, "workload.toml"))
    expected = tomllib.loads(TEXT)
    expected["suites"]["quick"]["target"]["value"] = 0.123
    expected["suites"]["quick"]["budget"]["horizon_steps"] = 77
    assert changed == expected


def test_comments_are_kept() -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith("horizon_steps"))
    commented = TEXT.replace(line, f"{line}  # why so many")
    changes = {("suites.quick.budget", "horizon_steps"): "77"}
    assert "horizon_steps = 77  # why so many\n" in changed_text(commented, changes, "w")


def test_a_missing_line_is_named() -> None:
    with pytest.raises(HarnessError, match=r"no line 'value = \.\.\.' below \[suites\.vast"):
        changed_text(TEXT, {("suites.vast.target", "value"): "1.0"}, "workload.toml")


def test_an_invalid_value_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"suites\.quick\.budget\.horizon_steps"):
        changed_text(TEXT, {("suites.quick.budget", "horizon_steps"): "0"}, "workload.toml")
