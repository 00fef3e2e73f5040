"""The browser of the tests that read pages, and AlgoPerf's published logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workloads.data.unpack import unpack

from .browsing import chromium
from .published import ARCHIVE

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Closed after each module: while it is open, nothing else may use asyncio."""
    yield from chromium()


@pytest.fixture(scope="session")
def algoperf_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the logs of each ruleset."""
    folder = tmp_path_factory.mktemp("algoperf")
    unpack(ARCHIVE, folder)
    return next(folder.rglob("external_tuning")).parent
