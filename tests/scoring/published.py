"""Where the published leaderboard of AlgoPerf v0.5 lies: its raw logs and its scores.

They are not ours to ship. They are looked for in the folder that GUIDED_DESCENT_ALGOPERF names,
else in ../shared/data/algoperf beside the checkout.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[3] / "shared" / "data" / "algoperf"
DATA = Path(os.environ.get("GUIDED_DESCENT_ALGOPERF", BESIDE))
ARCHIVE = DATA / "v05_eval_measurements.tar.xz"
needs_logs = pytest.mark.skipif(
    not ARCHIVE.is_file(), reason=f"AlgoPerf's logs are not in {DATA} (GUIDED_DESCENT_ALGOPERF)"
)


def expected_scores(ruleset: str) -> dict[str, dict[str, float]]:
    """The scores of `v05_ext` or `v05_self`, as published and in full precision."""
    text = (DATA / "v05_expected_scores.json").read_text(encoding="utf-8")
    scores: dict[str, dict[str, float]] = json.loads(text)[ruleset]
    return scores
