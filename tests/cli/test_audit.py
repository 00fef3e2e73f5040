"""`harness audit`: a trial again on an instance that nobody can have prepared for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from harness.cli.app import app
from harness.cli.audit_subject import subject_of
from harness.core.errors import HarnessError, UnknownNameError
from harness.plan.trial import TrialRecord
from harness.record.store import read_record, record_paths
from harness.record.tables import results_frame
from harness.verification.audit import TOLERANCE, AuditedTrial, audit_trial, fastest_trials
from harness.verification.store import verify_store
from tests.record.conftest import SampleStore, ending


@pytest.fixture
def sample(tmp_path: Path) -> SampleStore:
    return SampleStore(tmp_path / "store")


def with_time(record: TrialRecord, time_s: float | None) -> TrialRecord:
    assert record.result is not None
    state = "reached" if time_s is not None else "budget"
    changes = {"time_to_target_s": time_s, "state": state}
    return record.model_copy(update={"result": record.result.model_copy(update=changes)})


def record_of(sample: SampleStore) -> TrialRecord:
    return TrialRecord(
        identity=sample.trial.identity, trial=sample.trial, result=ending(sample.trial)
    )


def test_only_the_instance_changes(sample: SampleStore) -> None:
    repeated = audit_trial(sample.trial, "my own text")
    assert repeated.instance_seed != sample.trial.instance_seed
    assert audit_trial(sample.trial, "another").instance_seed != repeated.instance_seed
    for name in ("point", "budget", "target", "grid", "variant", "submission"):
        assert getattr(repeated, name) == getattr(sample.trial, name)


def test_an_unknown_variant_is_refused(sample: SampleStore) -> None:
    assert audit_trial(sample.trial, "text", "wide").variant == "wide"
    with pytest.raises(UnknownNameError, match="wide"):
        audit_trial(sample.trial, "text", "wid")


def test_the_deciding_trial_is_the_fastest_of_its_entry(sample: SampleStore) -> None:
    record = record_of(sample)
    records = [with_time(record, time_s) for time_s in (3.0, None, 2.0, 5.0)]
    (fastest,) = fastest_trials(records)
    assert fastest.result is not None
    assert fastest.result.time_to_target_s == 2.0
    with pytest.raises(HarnessError, match="no trial reached"):
        fastest_trials([with_time(record, None)])


@given(claimed_s=st.floats(0.1, 1e3), found_s=st.none() | st.floats(0.1, 1e3))
def test_a_time_agrees_within_the_tolerance(
    tmp_path_factory: pytest.TempPathFactory, claimed_s: float, found_s: float | None
) -> None:
    record = record_of(SampleStore(tmp_path_factory.mktemp("store")))
    verdict = AuditedTrial(with_time(record, claimed_s), with_time(record, found_s)).verdict
    if found_s is None:
        assert verdict == "not reached"
    else:
        assert verdict == ("agrees" if found_s / claimed_s <= TOLERANCE else "slower")


@pytest.mark.system
def test_an_audit_runs_and_its_exit_code_tells(sample: SampleStore, tmp_path: Path) -> None:
    shortened = sample.trial.budget.model_copy(update={"runtime_s": 0.3, "scale": 0.02})
    sample.trial = sample.trial.model_copy(update={"budget": shortened})
    sample.run()
    flags = ("--trial", sample.folder.name, "--seed", "mine", "--store", str(tmp_path / "audit"))
    result = CliRunner().invoke(app, ["audit", str(sample.store), *flags, "--threads", "1"])
    assert (result.exit_code, "not reached" in result.output) == (1, True), result.output
    (record,) = [read_record(path) for path in record_paths(tmp_path / "audit")]
    assert record.result is not None
    assert record.result.state == "budget"


def test_a_dry_run_of_an_audit_says_what_it_takes_and_leaves_nothing(
    sample: SampleStore, tmp_path: Path
) -> None:
    flags = ("--trial", sample.folder.name, "--seed", "mine", "--store", str(tmp_path / "audit"))
    result = CliRunner().invoke(app, ["audit", str(sample.store), *flags, "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "1 trial, 1 to run" in result.output
    assert not (tmp_path / "audit").exists()


def test_an_audit_releases_what_the_band_holds(tmp_path: Path) -> None:
    made = SampleStore(tmp_path / "store", grid=None)  # much faster than any baseline
    row = results_frame(made.store).iloc[0]
    assert (row["mark"], "the band ends at" in row["mark_reason"]) == ("held", True)
    subject = subject_of(made.store)
    (record,) = subject.latest()
    rerun = record.model_copy(update={"trial": audit_trial(record.trial, "mine")})
    subject.note([AuditedTrial(record, rerun)])
    assert results_frame(made.store)["mark"].tolist() == ["audited"]
    assert verify_store(made.store).findings == ()


def test_of_a_name_with_several_contents_the_latest_is_audited(sample: SampleStore) -> None:
    other = sample.trial.submission.model_copy(update={"content_hash": "0" * 64})
    sample.trial = sample.trial.model_copy(update={"submission": other})
    sample.run()
    (latest,) = subject_of(sample.store).latest()
    assert latest.trial.submission.content_hash == "0" * 64
