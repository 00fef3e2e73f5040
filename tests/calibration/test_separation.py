"""Whether quick's targets tell algorithms apart, from the committed calibrations."""

from __future__ import annotations

from itertools import combinations

import pytest
from scipy import stats

from harness.calibration.summary import read_summary, summary_path
from harness.providers.registry import workload

LEVEL = 0.05
TUNED = ("sgd", "adamw", "muon")


@pytest.mark.parametrize("name", ["mlp", "resnet", "lm", "rnn"])
@pytest.mark.parametrize(("one", "other"), list(combinations(TUNED, 2)))
def test_two_tuned_algorithms_differ_beyond_noise(name: str, one: str, other: str) -> None:
    definition = workload(name)
    summary = read_summary(summary_path(definition.folder, "quick"))
    target = definition.at("quick").target
    tuned = (b for b in summary.baselines if b.submission in TUNED)
    times = {b.submission: b.times_s(target) for b in tuned}
    # ranks, because a seed that misses the target counts as later than all that reach it
    compared = stats.mannwhitneyu(times[one], times[other])
    assert compared.pvalue < LEVEL
