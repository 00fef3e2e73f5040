"""A file that cannot be locked is named, with what to do."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.locks import lock


def test_a_file_that_cannot_be_locked_is_named(tmp_path: Path) -> None:
    (path := tmp_path / "ledger.jsonl").touch()
    descriptor = os.open(path, os.O_PATH)  # nothing can be done with it, locking included
    try:
        with pytest.raises(HarnessError, match=re.escape(f"cannot lock {path}: ")) as error:
            lock(descriptor)
    finally:
        os.close(descriptor)
    assert "--out DIR" in error.value.hint
