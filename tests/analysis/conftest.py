from __future__ import annotations

from pathlib import Path

import pytest

from tests.record.conftest import Made


@pytest.fixture
def sample(tmp_path: Path) -> Made:
    return Made(tmp_path)


@pytest.fixture(scope="session")
def shared_sample(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))
