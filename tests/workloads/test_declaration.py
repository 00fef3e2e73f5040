"""What `workload.toml` may say of loss, target and data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from workloads.data import no_data
from workloads.spec import WorkloadSpec
from workloads.toml import parse_toml

HEAD = 'name = "some"\nsummary = "for a test"\nloss = "{loss}"\n'
DATA = """[suites.quick]
batch_size = 8
train_examples = 64
[suites.quick.data]
source = "generated"
"""
REST = """[suites.quick.sizes]
{sizes}
[suites.quick.target]
metric = "{metric}"
direction = "minimize"
value = 0.5
[suites.quick.budget]
runtime_s = 1.0
horizon_steps = 100
"""


def spec(
    loss: str = "squared_error", metric: str = "loss", data: str = DATA, sizes: str = "width = 2"
) -> WorkloadSpec:
    text = HEAD.format(loss=loss) + data + REST.format(metric=metric, sizes=sizes)
    return parse_toml(text, "workload.toml", WorkloadSpec)


def refusal(**changes: str) -> str:
    with pytest.raises(HarnessError) as error:
        spec(**changes)
    return str(error.value)


def test_real_targets_need_no_classes() -> None:
    assert spec().loss == "squared_error"


def test_an_unknown_loss_names_the_known_ones() -> None:
    reason = "key 'loss' is 'hinge': unknown loss; known: cross_entropy, squared_error"
    assert refusal(loss="hinge") == f"workload.toml: {reason}"


def test_a_metric_that_the_loss_does_not_offer_is_refused() -> None:
    assert refusal(metric="accuracy") == (
        "workload.toml: key 'suites.quick.target.metric' is 'accuracy', which loss squared_error "
        "does not offer; it offers: loss"
    )


@pytest.mark.parametrize(("sizes", "reason"), [("width = 2", "None"), ("classes = 0", "0")])
def test_classes_are_to_be_counted(sizes: str, reason: str) -> None:
    assert refusal(loss="cross_entropy", sizes=sizes) == (
        f"workload.toml: key 'suites.quick.sizes.classes' is {reason}; loss cross_entropy needs "
        "the number of classes, an integer of at least 1"
    )


def test_a_workload_without_data_says_nothing_of_examples() -> None:
    size = spec(data="").suites["quick"]
    assert (size.data, size.batch_size) == (None, 1)


@pytest.mark.parametrize("key", ["batch_size", "train_examples"])
def test_with_data_both_counts_are_needed(key: str) -> None:
    without = "".join(line for line in DATA.splitlines(keepends=True) if key not in line)
    assert refusal(data=without) == f"workload.toml: suites.quick: key '{key}' is missing"


@pytest.mark.parametrize("line", ["batch_size = 8", "train_examples = 8", "augmentation = {}"])
def test_without_data_what_is_said_of_them_is_refused(line: str) -> None:
    key = line.split(maxsplit=1)[0]
    assert refusal(data=f"[suites.quick]\n{line}\n") == (
        f"workload.toml: suites.quick: key '{key}' is not allowed without data; leave it out"
    )


def test_classes_need_data() -> None:
    message = refusal(loss="cross_entropy", sizes="classes = 2", data="")
    assert (
        "key 'suites.quick.data' is missing: loss cross_entropy has classes as targets" in message
    )


def test_the_splits_without_data_are_empty_inputs_and_zeros(tmp_path: Path) -> None:
    no_data.prepare(None, "0" * 32, tmp_path, None)
    for split, count in no_data.EXAMPLES.items():
        inputs, targets = (
            np.load(tmp_path / split / f"{name}.npy", mmap_mode="r")
            for name in ("inputs", "targets")
        )
        assert (inputs.shape, targets.shape) == ((count, 0), (count, 1))
        assert inputs.dtype == targets.dtype == np.float32
        assert not targets.any()


def test_the_step_hint_is_the_whole_budget_in_steps_of_tuned_adamw() -> None:
    budget = spec().suites["quick"].budget
    assert budget.step_hint() == round(100 / 0.75)
    assert budget.step_hint(0.5) == round(50 / 0.75)
    assert budget.step_hint(1e-6) == 1
