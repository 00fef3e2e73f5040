"""What a run says of a machine that others keep busy."""

from __future__ import annotations

from harness.runs.busy import busy_remark
from tests.kit import busy_processors


def test_a_busy_machine_is_named() -> None:
    with busy_processors():
        assert "this machine is busy: other programs take" in busy_remark()
