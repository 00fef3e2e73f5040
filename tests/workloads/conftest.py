"""Small CIFAR-10 batches for every test here."""

import pytest

from tests.workloads.cifar_made import EXAMPLES
from workloads.data import cifar10


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "BATCH_EXAMPLES", EXAMPLES)
