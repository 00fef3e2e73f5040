"""A bundle of an earlier day is still read: what was published once can be scored and shown."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.cli.bundles import opened_store
from harness.record.tables import curves_frame, results_frame

OLD = Path(__file__).with_name("bundles") / "2026-11-30.tar.gz"
"""The three trials of sgd on mlp of the first reference board, byte for byte as they were then."""


def test_the_results_of_an_old_bundle_are_those_that_were_published() -> None:
    with ExitStack() as stack:
        store = opened_store(OLD, stack)
        results, curves = results_frame(store), curves_frame(store)
    best = results.sort_values("time_to_target_s").iloc[0]
    assert best["time_to_target_s"] == pytest.approx(4.229, abs=5e-4)
    assert best["steps_to_target"] == 650
    assert set(curves["identity"]) == set(results["identity"])


def test_an_old_bundle_has_its_board_and_every_page(tmp_path: Path) -> None:
    out = tmp_path / "site"
    result = CliRunner().invoke(app, ["site", str(OLD), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "missing:" not in result.output
    page = (out / "quick-external/s/sgd.html").read_text()
    assert "4.229" in page
    assert "3, of which" in page
