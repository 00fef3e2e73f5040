"""Small CIFAR-10 batches and a cache of one's own."""

from pathlib import Path

import pytest

from tests.workloads.cifar_made import EXAMPLES
from workloads.data import cifar10


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "BATCH_EXAMPLES", EXAMPLES)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
