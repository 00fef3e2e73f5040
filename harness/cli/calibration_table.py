"""What `harness calibrate` shows of a calibration's summary."""

from __future__ import annotations

from rich.table import Table

from harness.calibration.band import band_text
from harness.calibration.summary import Baseline, Summary


def summary_table(summary: Summary) -> Table:
    """A row per baseline, and its steps to the target."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    names = (
        "baseline",
        f"final {summary.metric}",
        "reached",
        "median steps",
        "time (s)",
        "variation",
        "ms a step",
    )
    for name in names:
        table.add_column(name, justify="left" if name == "baseline" else "right")
    for baseline in summary.baselines:
        table.add_row(baseline.submission, *_cells(baseline))
    return table


def summary_band(summary: Summary) -> str:
    """The convergence band in words, or why there is none."""
    if summary.band is None:
        return "no convergence band: fewer than two seeds of a timed baseline reach the target"
    return band_text(summary.band)


def _cells(baseline: Baseline) -> tuple[str, ...]:
    noise, mean, deviation = baseline.at_target, baseline.final_mean, baseline.final_deviation
    final = "-" if mean is None else f"{mean:.4f}"
    final += "" if deviation is None else f" ± {deviation:.4f}"
    step = "-" if baseline.speed is None else f"{1e3 * baseline.speed.step_s:.3f}"
    if noise is None or noise.median_steps is None or noise.variation is None:
        return final, "0", "-", "-", "-", step
    seeds, variation = f"{noise.reached} of {noise.seeds}", f"{100.0 * noise.variation:.1f} %"
    time = "-" if baseline.speed is None else f"{noise.median_steps * baseline.speed.step_s:.2f}"
    return final, seeds, f"{noise.median_steps:g}", time, variation, step
