"""Reruns: a trial is run again by command, with a reason, and its record says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.record.plan import write_plan
from harness.record.store import read_record
from harness.record.tables import results_frame
from harness.verification import rerun
from harness.verification.rerun import chosen_records, open_again
from harness.verification.store import verify_store
from scoring.flags import trial_flags
from tests.record import conftest
from tests.record.conftest import SampleStore


def lose(sample: SampleStore, how: str) -> None:
    if how == "folder":
        shutil.rmtree(sample.folder)
        write_plan([sample.trial], sample.store)
    else:
        sample.log.write_bytes(sample.log.read_bytes()[50:])


@pytest.mark.parametrize("how", ["folder", "chain"])
def test_a_lost_trial_is_run_again_by_command_and_the_record_says_so(
    sample: SampleStore, how: str
) -> None:
    lose(sample, how)
    (record,) = chosen_records(sample.store, (sample.trial.identity[:8],), with_flagged=False)
    open_again(sample.store, record, "the disk died")
    sample.run()
    report = verify_store(sample.store)
    assert (report.findings, report.reruns) == ((), 1)
    assert trial_flags(results_frame(sample.store)) == (
        "repeated: 1 of 1 trials were begun more than once",
    )
    assert len(list(sample.folder.glob("events.lost-1.jsonl"))) == (how == "chain")


def test_a_rerun_that_was_cut_short_is_marked_once(
    sample: SampleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (record,) = chosen_records(sample.store, (sample.folder.name,), with_flagged=False)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(rerun, "EventLog", interrupt)
        open_again(sample.store, record, "a test")
    open_again(sample.store, record, "a test")
    sample.run()
    report = verify_store(sample.store)
    assert (report.findings, report.reruns) == ((), 1)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_rerun_leaves_its_mark_and_fits(sample: SampleStore) -> None:
    (record,) = chosen_records(
        sample.store, ("trial_1-" + sample.trial.identity[:10],), with_flagged=False
    )
    open_again(sample.store, record, "a test")
    assert results_frame(sample.store)["state"].tolist() == ["unfinished"]
    assert read_record(sample.folder / "trial.json").result is None
    sample.run()
    report = verify_store(sample.store)
    assert (report.findings, report.reruns) == ((), 1)
    assert results_frame(sample.store)["attempt"].tolist() == [2]


def test_a_trial_on_a_machine_that_drifted_is_flagged_and_repeated_by_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(conftest.MACHINE, "drift", 0.4)
        sample = SampleStore(tmp_path)
        assert (
            "flagged: the machine changed around 1 of 1"
            in trial_flags(results_frame(sample.store))[0]
        )
        assert verify_store(sample.store).findings == ()
    (record,) = chosen_records(sample.store, (), with_flagged=True)
    open_again(sample.store, record, "the machine was busy")
    sample.run()
    assert verify_store(sample.store).findings == ()
    assert trial_flags(results_frame(sample.store)) == (
        "repeated: 1 of 1 trials were begun more than once",
    )
    with pytest.raises(HarnessError, match=r"no trial of .* is selected"):
        chosen_records(sample.store, (), with_flagged=True)
