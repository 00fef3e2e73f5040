"""Hyperparameters that a command sets, and a space that it brings."""

from pathlib import Path

import pytest

from harness.core.errors import HarnessError, UnknownNameError
from harness.plan.plan import PlanRequest, plan
from harness.submission.adjustment import adjust, setting_of
from harness.submission.options import SYNONYMS
from harness.submission.resolution import resolve
from harness.submission.space import read_space

SPACE = """
summary = "one line"
family = "adaptive"
frameworks = ["torch"]
[default]
learning_rate = 0.1
momentum = 0.9
[space.learning_rate]
min = 0.05
max = 0.2
"""


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("momentum=0.9", ("momentum", 0.9)),
        ("warmup=10", ("warmup", 10)),
        ("nesterov=true", ("nesterov", True)),
        ("schedule=cosine", ("schedule", "cosine")),
        ('schedule="0.5"', ("schedule", "0.5")),
    ],
)
def test_a_setting_is_a_name_and_a_value(text: str, setting: tuple[str, object]) -> None:
    assert setting_of(text) == setting


@pytest.mark.parametrize(
    "text", ["momentum", "=1", "a=", "a=inf", "a=[1]", "a b=1", "a=1979-05-27"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(HarnessError):
        setting_of(text)


def test_what_is_set_is_searched_no_more_and_makes_another_entry() -> None:
    own = resolve("adamw")
    changed = adjust(own, None, {"learning_rate": 0.5})
    assert changed.space.default["learning_rate"] == 0.5
    assert changed.space.space.keys() == own.space.space.keys() - {"learning_rate"}
    assert changed.ref.content_hash == own.ref.content_hash
    assert changed.ref.entry_hash != own.ref.entry_hash


@pytest.mark.parametrize(
    ("submission", "name"),
    [("adamw", "average"), ("adamw", "drops"), ("adamw", "clip"), ("soap", "spike_factor")],
)
def test_what_any_optimizer_takes_may_be_set(submission: str, name: str) -> None:
    assert adjust(resolve(submission), None, {name: 1}).space.default[name] == 1


def test_what_an_optimizer_has_no_use_for_may_not() -> None:
    with pytest.raises(UnknownNameError, match="unknown hyperparameter 'spike_factor'"):
        adjust(resolve("adamw"), None, {"spike_factor": 3.0})


def test_a_setting_that_changes_nothing_is_the_submission_itself() -> None:
    own = resolve("adamw")
    assert adjust(own, own.space, {}) is own


def test_a_name_that_the_space_lacks_is_refused_but_a_class_may_take_it() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'learning_rate'"):
        adjust(resolve("adamw"), None, {"learning_rte": 0.5})
    submission = adjust(resolve("torch.optim:SGD"), None, {"nesterov": True})
    assert submission.space.default["nesterov"] is True


@pytest.mark.parametrize(
    ("submission", "name", "meant"),
    [("adamw", name, own) for own, names in SYNONYMS.items() for name in names]
    + [("torch.optim:AdamW", "lr", "learning_rate"), ("torch.optim:AdamW", "wd", "weight_decay")],
)
def test_a_synonym_of_a_hyperparameter_suggests_it(submission: str, name: str, meant: str) -> None:
    with pytest.raises(UnknownNameError, match=f"'{name}'; did you mean '{meant}'"):
        adjust(resolve(submission), None, {name: 0.5})


def test_a_class_may_have_an_argument_that_is_a_synonym_elsewhere() -> None:
    assert (
        adjust(resolve("torch.optim:RMSprop"), None, {"alpha": 0.9}).space.default["alpha"] == 0.9
    )


def test_a_space_given_by_a_file_is_searched(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(SPACE)
    space = read_space(tmp_path / "space.toml")
    trials = plan(PlanRequest("mlp", "sgd", space=space, settings={"momentum": 0.5})).trials
    assert all(0.05 <= float(t.point["learning_rate"]) <= 0.2 for t in trials)
    assert {t.point["momentum"] for t in trials} == {0.5}
    assert {t.submission.space for t in trials} == {trials[0].submission.space} != {""}
