"""docs/PROBES.md is what `make probes` writes, and names every probe that ships."""

from __future__ import annotations

import runpy
from pathlib import Path

from experiments.probes.run import probe_names

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_new() -> None:
    module = runpy.run_path(str(DOCS / "probes.py"))
    assert module["PAGE"].read_text() == module["page"](), "make probes"


def test_the_page_says_what_each_probe_is_about() -> None:
    lines = (DOCS / "PROBES.md").read_text().splitlines()
    for probe in probe_names():
        assert any(line.startswith(f"| `{probe}` |") for line in lines), probe
