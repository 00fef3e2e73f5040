"""Pages and figures are made from a run's own folder, each record of which is read once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.providers import registry
from tests.record.conftest import SampleStore


def test_from_records_to_a_page(sample: SampleStore, tmp_path: Path) -> None:
    out = tmp_path / "site"
    result = CliRunner().invoke(app, ["site", str(sample.store), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "a screening" in (out / "quick-external/index.html").read_text()
    text = (out / "quick-external/data/e/adamw.js").read_text()
    trial = json.loads(text[len('GD.take("entry","adamw",') : -3])["trials"][0]
    assert trial["id"] == sample.trial.identity[:16]
    assert trial["sections"]["As planned"]["precision"] == "float32"
    assert str(tmp_path) not in text


def test_a_workloads_page_says_what_is_held_for_being_too_good(
    sample: SampleStore, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    CliRunner().invoke(app, ["site", str(sample.store), "--out", str(out)])
    band = registry.band("mlp", "quick")
    assert band is not None
    page = (out / "quick-external/w/mlp.html").read_text()
    assert f"an entry is held below {band.seconds.edge:g} s" in page


def test_a_folder_of_an_older_schema_makes_a_page_that_says_so(
    sample: SampleStore, tmp_path: Path
) -> None:
    path = sample.folder / "trial.json"
    path.write_text(path.read_text().replace('"schema_version": 2', '"schema_version": 1'))
    out = tmp_path / "site"
    result = CliRunner().invoke(app, ["site", str(sample.store), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "schema_version 1, this version reads 2" in (out / "index.html").read_text()


def test_a_figure_is_drawn_from_records(sample: SampleStore, tmp_path: Path) -> None:
    place = str(sample.store)
    arguments = ["plot", "diagnostics", place, "--out", str(tmp_path), "--format", "svg"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "diagnostics-mlp.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("command", [["site"], ["plot", "diagnostics"]])
def test_pages_and_figures_read_each_record_once(
    command: list[str], sample: SampleStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, counts = Path.read_bytes, Counter[Path]()

    def count_page(path: Path) -> bytes:
        counts[path] += 1
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", count_page)
    result = CliRunner().invoke(app, [*command, str(sample.store), "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert (counts[sample.log], counts[sample.folder / "trial.json"]) == (1, 1)
