"""A plan of which nothing has begun may be withdrawn; it is then not missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.record.ledger import Ledger
from harness.record.plan import withdraw_plan, write_plan
from harness.record.schema.ledger import AttemptBegun
from harness.record.store import record_paths
from harness.verification.store import verify_store
from tests.record.conftest import SampleStore

OTHERS = plan(PlanRequest("mlp", "sgd", trials=2)).trials


def test_what_has_not_begun_is_withdrawn_and_nothing_else(sample: SampleStore) -> None:
    write_plan(OTHERS, sample.store)
    Ledger(sample.store).note(AttemptBegun(identity=OTHERS[0].identity, attempt=1))
    assert withdraw_plan(sample.store, "no CUDA here") == (OTHERS[1],)
    folders = {
        path.parent.relative_to(sample.store).as_posix() for path in record_paths(sample.store)
    }
    assert folders == {sample.trial.folder, OTHERS[0].folder}


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
