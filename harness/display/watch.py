"""A view of a store for a terminal of 80 columns: running and ended trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.core.text import displayable
from harness.display.overview import EntryView, TrialView, ago

BLOCKS = "▁▂▃▄▅▆▇█"
LATEST = 24
"""The number of a trial's evaluations that are drawn."""
BAR = 20


def store_view(name: str, entries: Sequence[EntryView]) -> RenderableType:
    """The trials in progress, and below them a line for each entry.

    Args:
        name: the store's name.
        entries: the entries, in the order of display.
    """
    trials = sum(len(entry.trials) for entry in entries)
    ended_count = sum(entry.ended_count for entry in entries)
    head = _line(f"{ended_count} of {trials} trials ended in {name}", "bold")
    running_trials = [
        view for entry in entries for view in entry.trials if view.progress is not None
    ]
    parts = [part for view in running_trials for part in _trial_lines(view)]
    return Group(head, *parts, Text(), _table(entries))


def _trial_lines(view: TrialView) -> list[Text]:
    """Three lines on a trial in progress."""
    trial, progress = view.record.trial, view.progress
    assert progress is not None
    blocks = round(BAR * progress.fraction)
    return [
        Text(),
        _line(
            f"{trial.submission.name} on {trial.workload}, study {trial.study} trial "
            f"{trial.trial}: {progress.phase}, last event {ago(view.changed_s)}",
            "cyan",
        ),
        _line(
            f"{'█' * blocks}{'░' * (BAR - blocks)} {progress.fraction:4.0%}, step {progress.step}, "
            f"{progress.remaining}"
        ),
        _line(f"{progress.metric_text}  {spark(view.values)}"),
    ]


def spark(values: Sequence[float]) -> str:
    """The latest values as block characters, scaled between their minimum and maximum."""
    finite = [value for value in values[-LATEST:] if math.isfinite(value)]
    if not finite:
        return ""
    low, span = min(finite), (max(finite) - min(finite)) or 1.0
    return "".join(BLOCKS[round((len(BLOCKS) - 1) * (value - low) / span)] for value in finite)


def _table(entries: Sequence[EntryView]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("workload", no_wrap=True, max_width=14)
    table.add_column("submission", no_wrap=True, max_width=28, overflow="ellipsis")
    for name in ("ended", "reached", "best (s)", "changed"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in entries:
        best = f"{entry.best_s:.2f}" if math.isfinite(entry.best_s) else "-"
        table.add_row(
            displayable(entry.workload),
            displayable(entry.submission),
            f"{entry.ended_count} of {len(entry.trials)}",
            str(entry.count("reached")),
            best,
            ago(entry.changed_s),
        )
    return table


def _line(text: str, style: str = "") -> Text:
    return Text(displayable(text), style=style, no_wrap=True, overflow="ellipsis")
