"""docs/PROBES.md is what `make probes` writes, and names every probe that ships."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import cast

import pandas as pd

from experiments.probes.run import probe_names
from experiments.probes.verdicts import Outcome, Verdict, outcomes_frame

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_new() -> None:
    module = runpy.run_path(str(DOCS / "probes.py"))
    assert module["PAGE"].read_text() == module["page"](), "make probes"


def test_the_page_says_what_each_probe_is_about() -> None:
    lines = (DOCS / "PROBES.md").read_text().splitlines()
    for probe in probe_names():
        assert any(line.startswith(f"| `{probe}` |") for line in lines), probe


def run_of(folder: Path, submission: str, verdict: Verdict, probes: tuple[str, ...]) -> Path:
    """The folder of a run of probes with one submission."""
    outcomes = [
        Outcome(submission=submission, probe=probe, verdict=verdict, points=3, steps=None,
                best=0.25, reason="why, and how")
        for probe in probes
    ]  # fmt: skip
    folder.mkdir()
    outcomes_frame(outcomes).to_csv(folder / "verdicts.csv", index=False)
    return folder


def test_a_run_of_one_submission_leaves_the_verdicts_of_the_others(tmp_path: Path) -> None:
    module, folder = runpy.run_path(str(DOCS / "probes.py")), tmp_path / "kept"
    for name, verdict, date in (
        ("sgd", "fail", "2026-01-01"), ("muon", "pass", "2026-01-02"),
        ("sgd", "fail", "2026-01-03"), ("muon", "fail", "2026-01-04"),
    ):  # fmt: skip
        run = run_of(tmp_path / date, name, cast(Verdict, verdict), probe_names())
        module["take_over"](run, folder, date)
    result = pd.read_csv(folder / "verdicts.csv").groupby("submission").first()
    assert result["verdict"].to_dict() == {"muon": "fail", "sgd": "fail"}
    assert result["measured"].to_dict() == {"muon": "2026-01-04", "sgd": "2026-01-01"}
    assert "2 submissions" in module["page"](folder)
    assert (folder / "figure.svg").stat().st_size > 0


def test_a_submission_that_was_not_tried_on_all_probes_is_not_taken_over(tmp_path: Path) -> None:
    module, folder = runpy.run_path(str(DOCS / "probes.py")), tmp_path / "kept"
    module["take_over"](run_of(tmp_path / "a", "sgd", "fail", probe_names()), folder, "2026-01-01")
    module["take_over"](run_of(tmp_path / "b", "sgd", "pass", ("saddle",)), folder, "2026-01-02")
    assert set(pd.read_csv(folder / "verdicts.csv")["verdict"]) == {"fail"}
