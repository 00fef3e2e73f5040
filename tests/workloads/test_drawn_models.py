"""Drawn architectures are the same in both frameworks: ten in all, fifty a workload nightly."""

from __future__ import annotations

from functools import partial
from itertools import islice

import numpy as np
import pytest

from harness.core.seeds import derive
from harness.providers import registry
from tests.workloads.parity import (
    Batch,
    Twin,
    assert_declared,
    assert_same_pass,
    assert_same_training,
)
from tests.workloads.smooth import smooth_batches
from workloads.drawing import drawn_model_name
from workloads.spec import Sizes

RATES = {"mlp": 0.02, "resnet": 0.01, "lm": 0.05, "rnn": 0.1}
"""Of SGD: large enough to move all parameters, small enough that no model diverges."""
EARLY = {"mlp": 4, "resnet": 2, "lm": 2, "rnn": 2}
"""How many of each are looked at before the night: ten in all."""
ALL, STEPS = 50, 10
SAMPLE = [
    pytest.param(workload, number, marks=pytest.mark.system if number < early else pytest.mark.slow)
    for workload, early in EARLY.items()
    for number in range(ALL)
]


def batch_of(workload: str, number: int) -> Batch:
    """A few random examples of the shape that a workload's have in `quick`."""
    rng = np.random.default_rng(number)
    if workload == "mlp":
        return rng.standard_normal((64, 256), np.float32), rng.integers(0, 10, 64)
    if workload == "resnet":
        images = rng.integers(0, 256, (4, 3, 16, 16), np.uint8)
        return images, rng.integers(0, 10, 4)
    tokens = rng.integers(0, 512, (4, 17)).astype(np.uint16)
    return tokens[:, :-1], tokens[:, 1:]


@pytest.mark.parametrize(("workload", "number"), SAMPLE)
def test_a_drawn_model_is_one_model_in_both_frameworks(workload: str, number: int) -> None:
    twin, rate = Twin(workload, sizes_of(workload, number)), RATES[workload]
    candidates = map(partial(batch_of, workload), range(500))
    batches = (
        smooth_batches(twin, candidates, STEPS, rate)
        if workload == "resnet"  # of large maps, in which some value is always nearly zero
        else list(islice(candidates, STEPS))
    )
    assert_declared(twin)
    assert_same_pass(twin, batches[0])
    assert_same_training(twin, lambda step: batches[step], rate, STEPS)


def sizes_of(workload: str, number: int) -> Sizes:
    """The sizes of one of the sample; gains that start at 0 would keep others from moving."""
    name = drawn_model_name(derive("sample", workload, number))
    sizes = registry.workload(workload).sizes("quick", name)
    return sizes | ({"last_gain": 0.5} if sizes.get("last_gain") == 0.0 else {})
