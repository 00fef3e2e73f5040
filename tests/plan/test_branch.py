"""A branch as a value: its identity, its place in files, and trunks that are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Branch, Trial
from harness.submission.reference import Scalar


def trial(
    submission: str = "adamw", settings: dict[str, Scalar] | None = None, **changes: object
) -> Trial:
    request = PlanRequest("mlp", submission, trials=1, settings=settings or {})
    (only_trial,) = plan(request).trials
    return only_trial.model_copy(update=changes)


TRUNK = trial(keeps_end=True)
BRANCH = trial(branch=Branch(trunk=TRUNK))


def test_a_trial_that_is_no_branch_is_written_and_named_as_before() -> None:
    assert not {"branch", "keeps_end"} & set(trial().model_dump())
    assert trial().is_scored and not BRANCH.is_scored


def test_a_branch_comes_back_from_its_file_with_its_identity() -> None:
    back = Trial.model_validate_json(BRANCH.model_dump_json())
    assert back == BRANCH
    assert back.identity == BRANCH.identity


def test_trunk_order_and_what_is_kept_are_part_of_the_identity() -> None:
    others = [
        Branch(trunk=TRUNK, order=2),
        Branch(trunk=TRUNK, keeps="weights"),
        Branch(trunk=TRUNK.model_copy(update={"study": 2})),
    ]
    identities = {trial(branch=other).identity for other in others}
    assert len(identities | {BRANCH.identity, trial().identity, TRUNK.identity}) == 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"branch": Branch(trunk=trial())}, "keeps_end = false"),
        ({"variant": "other"}, "variant of a branch is 'other', and its trunk's is 'base'"),
        ({"instance_seed": "0" * 32}, "instance_seed of a branch is '0000"),
        ({"branch": Branch(trunk=trial("sgd", keeps_end=True))}, "from the state of 'sgd'"),
        ({"point": {"average": "ema"}}, "average is 'ema', and a branch begins with"),
    ],
)
def test_a_trunk_at_whose_end_it_cannot_begin_is_refused(
    changes: dict[str, object], words: str
) -> None:
    other = BRANCH.model_copy(update=changes)
    with pytest.raises(ValidationError, match=words):
        Trial.model_validate(other.model_dump())
