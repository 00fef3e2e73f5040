"""Whether quick's targets tell algorithms apart, from the committed calibrations."""

from __future__ import annotations

from itertools import combinations

import pytest
from scipy import stats

from harness.calibration.summary import read_summary, summary_path
from harness.registry import workload, workload_names

COMPARED = ("adamw", "muon", "sgd")
LEVEL = 0.05


@pytest.mark.parametrize("pair", combinations(COMPARED, 2), ids="-".join)
@pytest.mark.parametrize("name", workload_names())
def test_tuned_algorithms_differ_in_time_to_target_beyond_noise(
    name: str, pair: tuple[str, str]
) -> None:
    known = workload(name)
    summary = read_summary(summary_path(known.folder, "quick"))
    times = {
        b.submission: b.times_s(known.at("quick").target)
        for b in summary.baselines
        if b.submission in pair
    }
    # ranks, because a seed that misses the target counts as later than all that reach it
    compared = stats.mannwhitneyu(*(times[submission] for submission in pair))
    assert compared.pvalue < LEVEL
