"""Small matrices on one thread: more only wait for each other. Measured differences are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

Measure = Callable[[float], float]
"""Returns its argument, a largest difference from an oracle, and keeps it for the documentation."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def measure(record_property: Callable[[str, object], None]) -> Measure:
    """For `docs/oracles.py`, which reads the property of the tests that its table names."""

    def keep(difference: float) -> float:
        record_property("largest_difference", difference)
        return difference

    return keep
