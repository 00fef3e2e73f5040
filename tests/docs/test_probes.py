"""docs/PROBES.md is what `make probes` writes, of all probes that ship."""

from __future__ import annotations

import runpy
from pathlib import Path

import pandas as pd

from experiments.probes.run import probe_names

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_new() -> None:
    module = runpy.run_path(str(DOCS / "probes.py"))
    assert (DOCS / "PROBES.md").read_text() == module["page"]()


def test_every_submission_has_a_verdict_on_every_probe() -> None:
    outcomes = pd.read_csv(DOCS / "probes" / "verdicts.csv")
    probes = outcomes.groupby("submission")["probe"].agg(list)
    assert all(names == list(probe_names()) for names in probes)
