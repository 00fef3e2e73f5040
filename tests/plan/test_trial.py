"""A trial's identity is computed once, and is that of its own fields."""

from __future__ import annotations

import pickle

from harness.core.canonical import sha256_json
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import LATER_FIELDS, TrialRecord

(TRIAL,) = plan(PlanRequest("mlp", "adamw", trials=1)).trials


def test_a_copy_with_changes_has_an_identity_of_its_own() -> None:
    before = TRIAL.identity
    other = TRIAL.model_copy(update={"study": 7})
    assert other.identity == type(TRIAL).model_validate(other.model_dump()).identity != before
    assert TRIAL.model_copy().identity == before


def test_an_identity_that_is_known_is_no_part_of_what_is_written() -> None:
    fresh = type(TRIAL).model_validate(TRIAL.model_dump())
    identity = sha256_json(fresh.model_dump(mode="json", exclude=set(LATER_FIELDS)))
    record = TrialRecord(identity=fresh.identity, trial=fresh)
    assert TRIAL.identity == fresh.identity == identity
    assert '"identity"' not in fresh.model_dump_json()
    assert record.model_dump_json().count('"identity"') == 1
    assert TrialRecord.model_validate_json(record.model_dump_json()) == record
    assert pickle.loads(pickle.dumps(fresh)) == fresh == TRIAL
