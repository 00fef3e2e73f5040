"""Speed-up against width: every width by its own target, none of them in a score."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError
from scoring.report.widths import widths_figure, widths_table
from scoring.rules import load_rules
from scoring.widths import WidthSpeedup, of_widths, width_speedups, without_widths
from tests.scoring.made_frames import frame, row


def family(studies: int) -> pd.DataFrame:
    """Muon is 2 times as fast as adamw at width 128, 1.5 times at 256 and no faster at 512."""
    noise = np.exp(0.05 * np.random.default_rng(0).standard_normal((3, 2, studies)))
    parts = []
    for (width, gain), pair in zip(((128, 2.0), (256, 1.5), (512, 1.0)), noise, strict=True):
        times = {("adamw", "mlp"): list(20 * pair[0]), ("muon", "mlp"): list(20 / gain * pair[1])}
        parts.append(frame(times, variant=f"width-{width}", baseline="adamw"))
    return pd.concat(parts, ignore_index=True)


def speedups(trials: pd.DataFrame) -> list[WidthSpeedup]:
    return width_speedups(trials, load_rules(), "adamw")


def test_each_width_has_its_speed_up_and_an_interval_around_it() -> None:
    lines = speedups(family(5))
    assert [(line.entry, line.width, line.studies) for line in lines] == [
        ("muon", 128, 5), ("muon", 256, 5), ("muon", 512, 5),
    ]  # fmt: skip
    for line, gain in zip(lines, (2.0, 1.5, 1.0), strict=True):
        assert line.speedup == pytest.approx(gain, rel=0.1)
        assert line.low < line.speedup < line.high


def test_a_reference_that_has_no_width_is_refused_by_name() -> None:
    with pytest.raises(HarnessError, match="unknown reference 'moun'; did you mean 'muon'"):
        width_speedups(family(1), load_rules(), "moun")


def test_a_screening_has_speed_ups_without_intervals() -> None:
    assert all(math.isnan(line.low) for line in speedups(family(1)))


def test_a_miss_of_one_of_the_two_makes_it_a_bound() -> None:
    trials = family(1)
    is_muon = trials["submission"].eq("muon") & trials["variant"].eq("width-512")
    trials.loc[is_muon, "time_to_target_s"] = math.inf
    trials.loc[is_muon, "state"] = "budget"
    assert [line.mark for line in speedups(trials)] == ["", "", "<="]


def test_a_width_without_the_reference_is_refused() -> None:
    trials = family(1)
    lacking = trials[~(trials["submission"].eq("adamw") & trials["variant"].eq("width-256"))]
    with pytest.raises(HarnessError, match="adamw has no trial on mlp_width-256"):
        speedups(lacking)


def test_a_reference_that_is_alone_has_no_table() -> None:
    trials = family(1)
    with pytest.raises(HarnessError, match="adamw, the reference, is alone at every width"):
        speedups(trials[trials["submission"].eq("adamw")])


def test_a_score_and_a_family_share_no_trial() -> None:
    both = pd.concat([family(1), pd.DataFrame([row("adamw", "mlp", 1, 10.0)])], ignore_index=True)
    assert set(without_widths(both)["variant"]) == {"base"}
    assert len(of_widths(both)) == 6
    with pytest.raises(HarnessError, match="harness widths"):
        without_widths(family(1))


def test_the_table_and_the_figure_show_every_width() -> None:
    lines = speedups(family(2))
    assert widths_table(lines, "adamw").row_count == 3
    (panel,) = widths_figure(lines, "adamw").axes
    curve = panel.get_lines()[0]
    assert np.asarray(curve.get_xdata()).tolist() == [128, 256, 512]
    assert np.asarray(curve.get_ydata()).tolist() == [line.speedup for line in lines]
