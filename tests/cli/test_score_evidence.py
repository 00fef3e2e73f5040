"""`harness score` and `report` look at the records that they read, and say what does not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.analysis.results import comparison_of
from harness.analysis.scored import Source, load_board
from harness.cli.report import write_report
from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.record.plan import write_plan
from harness.record.tables import results_frame
from scoring.columns import RESULTS
from tests.record.conftest import FILES, SampleStore


@pytest.fixture
def sample(tmp_path: Path) -> SampleStore:
    return SampleStore(tmp_path / "store", grid=None)


HELD = "held-entries"
"""A made-up time on the workload's own grid is beyond its band."""


def flags(sample: SampleStore, *allowed: str) -> dict[str, str]:
    """The flags of the store's board by name."""
    board, _ = load_board(Source(sample.store, allow=(HELD, *allowed)))
    return {flag.partition(": ")[0]: flag for flag in board.flags}


def test_a_frame_of_records_has_what_tells_mixtures_apart(sample: SampleStore) -> None:
    (line,) = results_frame(sample.store).to_dict("records")
    assert {*RESULTS.names("record"), *RESULTS.names("marks")} == line.keys()
    names = ("threads", "sandbox", "versions", "variables", "ruleset_trials", "location", "files")
    place = "submissions/adamw"
    assert [line[name] for name in names] == [
        "2", "plain", "python 3.11.2", "none", 3, place, FILES,
    ]  # fmt: skip
    assert line["round"] == sample.trial.round_commitment
    assert line["content_hash"] == sample.trial.submission.content_hash


def test_records_that_fit_are_not_flagged_as_unverified(sample: SampleStore) -> None:
    assert flags(sample).keys() == {HELD, "partial", "incomplete"}


def test_a_changed_trial_is_unverified_on_the_board_and_on_the_page(sample: SampleStore) -> None:
    path = sample.folder / "trial.json"
    path.write_text(path.read_text().replace('"location": "submissions/', '"location": "/mine/'))
    assert "the identity is not the hash of the trial" in flags(sample)["unverified"]
    page = write_report(Source(sample.store, allow=(HELD,)), "adamw", sample.store / "report.html")
    assert "the identity is not the hash of the trial" in page.read_text()


def test_a_folder_without_its_ledger_is_unverified(sample: SampleStore) -> None:
    (sample.store / "ledger.jsonl").unlink()
    assert "planned 0 times in ledger.jsonl" in flags(sample)["unverified"]


def test_a_trial_that_the_ledger_knows_and_the_folder_lacks_is_refused(sample: SampleStore) -> None:
    trials = plan(PlanRequest("mlp", "adamw", trials=2)).trials
    write_plan(trials, sample.store)
    shutil.rmtree(sample.store / trials[1].folder)
    with pytest.raises(HarnessError, match=rf"missing-records.*{trials[1].folder}"):
        flags(sample)
    assert "missing-records" in flags(sample, "missing-records")


def test_a_comparison_takes_what_is_held_and_says_so(sample: SampleStore) -> None:
    (sample.trial,) = plan(PlanRequest("mlp", "muon", trials=1)).trials
    sample.run()
    _, _, flags = comparison_of("adamw", "muon", Source(sample.store))
    held_names = [flag.split()[1] for flag in flags if flag.startswith(f"{HELD}: ")]
    assert held_names == ["adamw", "muon"]


def test_a_copied_folder_is_refused_and_unverified(sample: SampleStore) -> None:
    shutil.copytree(sample.folder, sample.folder.with_name("trial_2-copied"))
    with pytest.raises(HarnessError, match="duplicate-trials"):
        flags(sample)
    assert "belongs in" in flags(sample, "duplicate-trials")["unverified"]
