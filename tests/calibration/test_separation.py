"""Whether quick's targets tell algorithms apart, from the committed calibrations."""

from __future__ import annotations

import pytest
from scipy import stats

from harness.calibration.summary import read_summary, summary_path
from harness.registry import workload

LEVEL = 0.05


@pytest.mark.parametrize("name", ["lm", "rnn"])
def test_on_a_language_tuned_sgd_and_adamw_differ_beyond_noise(name: str) -> None:
    known = workload(name)
    summary = read_summary(summary_path(known.folder, "quick"))
    target = known.at("quick").target
    times = {b.submission: b.times_s(target) for b in summary.baselines}
    # ranks, because a seed that misses the target counts as later than all that reach it
    compared = stats.mannwhitneyu(times["adamw"], times["sgd"], alternative="less")
    assert compared.pvalue < LEVEL
