"""What a worker warms up with has the shapes and types of what it will train on."""

from __future__ import annotations

import numpy as np

from harness.protocol.messages import Hello
from harness.worker.warm_up import WARM_UP_BATCHES, random_examples
from tests.worker.test_averages import hello

BATCH = 16
COUNT = BATCH * WARM_UP_BATCHES


def hello_of(**changes: object) -> Hello:
    return hello("torch", {}).model_copy(update=changes)


def test_classes_and_tokens_are_below_the_number_of_classes() -> None:
    tokens = {"input_shape": (9,), "input_dtype": "uint16", "target_shape": (9,)}
    examples = random_examples(hello_of(sizes={"classes": 5}, **tokens))
    assert (examples.inputs.shape, examples.inputs.dtype.name) == ((COUNT, 9), "uint16")
    assert np.issubdtype(examples.targets.dtype, np.integer)
    for numbers in (examples.inputs, examples.targets):
        assert set(np.unique(numbers)) == set(range(5))


def test_real_targets_are_float32_and_need_no_classes() -> None:
    shapes = {"input_shape": (7,), "input_dtype": "uint8", "target_shape": (2, 3)}
    examples = random_examples(hello_of(loss="squared_error", sizes={}, **shapes))
    assert (examples.targets.shape, examples.targets.dtype.name) == ((COUNT, 2, 3), "float32")
    assert 0.8 < examples.targets.std() < 1.2
    assert set(np.unique(examples.inputs)) == {0, 1}


def test_without_data_inputs_are_empty() -> None:
    shapes = {"input_shape": (0,), "input_dtype": "float32", "target_shape": (1,)}
    examples = random_examples(hello_of(loss="squared_error", sizes={}, **shapes))
    assert (examples.inputs.shape, examples.targets.shape) == ((COUNT, 0), (COUNT, 1))
