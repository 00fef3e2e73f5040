"""What is said of a worker's tensors is short, however many and however long their names."""

from collections.abc import Iterable

import numpy as np
import pytest

from harness.protocol.wire import WireError
from harness.referee.checks import checked_parameters

SHAPES = {"weight": (2,)}


def complaint(names: Iterable[str]) -> str:
    with pytest.raises(WireError) as error:
        checked_parameters({name: np.zeros(2, np.float32) for name in names}, SHAPES)
    return str(error.value)


def test_a_few_odd_names_are_all_named() -> None:
    assert complaint(["weight", "b", "a"]).endswith("differ from the model's: a, b")


def test_of_many_odd_names_three_are_named() -> None:
    assert complaint(map(str, range(25_000))).endswith(": 0, 1, 10 and 24998 more")


def test_long_names_are_cut() -> None:
    assert len(complaint(["x" * 300, "y" * 300])) < 200
