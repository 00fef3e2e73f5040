"""A plan of which nothing has begun may be withdrawn; it is then not missed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.record.ledger import Ledger
from harness.record.log import EventLog
from harness.record.plan import withdraw_plan, write_plan
from harness.record.schema.ledger import AttemptBegun
from harness.record.store import EVENTS_FILE, record_paths
from harness.verification.store import verify_store
from tests.record.conftest import SampleStore, beginning

OTHERS = plan(PlanRequest("mlp", "sgd", trials=2)).trials


def test_what_has_not_begun_is_withdrawn_and_nothing_else(sample: SampleStore) -> None:
    write_plan(OTHERS, sample.store)
    Ledger(sample.store).note(AttemptBegun(identity=OTHERS[0].identity, attempt=1))
    assert withdraw_plan(sample.store, "no CUDA here") == (OTHERS[1],)
    folders = {
        path.parent.relative_to(sample.store).as_posix() for path in record_paths(sample.store)
    }
    assert folders == {sample.trial.folder, OTHERS[0].folder}


def test_a_trial_that_stopped_before_its_first_event_is_withdrawn(sample: SampleStore) -> None:
    write_plan(OTHERS, sample.store)
    first, second = (sample.store / trial.folder / EVENTS_FILE for trial in OTHERS)
    EventLog(first).close()  # as when its GPU was claimed
    with closing(EventLog(second)) as log:
        log.append(beginning(OTHERS[1], 1))
    assert withdraw_plan(sample.store, "no CUDA here") == (OTHERS[0],)


def test_a_withdrawn_plan_is_not_missed(sample: SampleStore) -> None:
    write_plan(OTHERS, sample.store)
    withdraw_plan(sample.store, "no CUDA here")
    assert not verify_store(sample.store).findings


def test_what_was_planned_again_and_has_begun_is_missed(sample: SampleStore) -> None:
    write_plan(OTHERS[:1], sample.store)
    withdraw_plan(sample.store, "no CUDA here")
    write_plan(OTHERS[:1], sample.store)
    Ledger(sample.store).note(AttemptBegun(identity=OTHERS[0].identity, attempt=1))
    (sample.store / OTHERS[0].folder / "trial.json").unlink()
    (finding,) = verify_store(sample.store).findings
    assert finding.is_missing


def test_a_reason_is_required(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="needs a reason"):
        withdraw_plan(tmp_path, " ")
