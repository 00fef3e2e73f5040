"""The arena and the data that all cases share."""

import pytest

from .arena import Arena


@pytest.fixture(scope="session")
def hostile_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def arena(tmp_path, hostile_cache, monkeypatch):
    return Arena(tmp_path, hostile_cache, monkeypatch)
