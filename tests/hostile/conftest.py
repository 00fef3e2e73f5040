"""The arena and the data that all cases share."""

from pathlib import Path

import pytest

from .arena import Arena


@pytest.fixture
def arena(tmp_path: Path, data_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Arena:
    return Arena(tmp_path, data_cache, monkeypatch)
