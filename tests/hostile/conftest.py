"""The arena and the data that all cases share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .arena import Arena


@pytest.fixture
def arena(tmp_path: Path, data_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Arena]:
    arena = Arena(tmp_path, data_cache, monkeypatch)
    with arena.open:
        yield arena
