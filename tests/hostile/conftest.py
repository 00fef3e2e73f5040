"""The arena and the data that all cases share."""

import pytest

from .arena import Arena


@pytest.fixture
def arena(tmp_path, data_cache, monkeypatch):
    return Arena(tmp_path, data_cache, monkeypatch)
