"""docs/ALGORITHMS.md is what `make algorithms` writes, and every source is one that is listed."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LISTED = re.findall(r'<a id="(\w+)"></a>`(\w+)`: ', (DOCS / "REFERENCES.md").read_text())
KEY = re.compile(r"\b[a-z]+(?:19|20)\d\d[a-z]+\b")
CODE = [path for name in ("harness", "workloads", "submissions", "scoring")
        for path in (ROOT / name).rglob("*.py")]  # fmt: skip


def test_the_page_is_new() -> None:
    module = runpy.run_path(str(DOCS / "algorithms.py"))
    assert module["PAGE"].read_text() == module["page"](), "make algorithms"


def test_each_reference_is_listed_once_under_its_own_anchor() -> None:
    keys = [key for _, key in LISTED]
    assert len(keys) == len(set(keys)) > 0
    assert [anchor for anchor, _ in LISTED] == keys


@pytest.mark.parametrize("place", ["docs", "code"])
def test_each_key_that_is_cited_is_listed(place: str) -> None:
    files = CODE if place == "code" else [*DOCS.glob("*.md"), DOCS / "algorithms.toml"]
    cited = {key for file in files for key in KEY.findall(file.read_text())}
    assert cited <= {key for _, key in LISTED}
