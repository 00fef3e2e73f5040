"""Write the results of probes: verdicts, a heat map, and a page with both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from experiments.probes.figure import probes_figure, verdict_table
from experiments.probes.run import probe_names
from experiments.probes.verdicts import VERDICTS, Outcome, outcomes_frame
from experiments.results import write_figure
from harness.core.files import write_whole
from harness.core.text import csv_text
from harness.providers import registry


def write_results(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write `verdicts.csv`, `figure.*` and `table.md`.

    Raises:
        CannotWriteError: a file cannot be written; the records are unchanged.
    """
    frame = outcomes_frame(outcomes)
    write_whole(folder / "verdicts.csv", csv_text(frame))
    write_figure(folder, probes_figure(frame))
    write_whole(folder / "table.md", table_text(frame))


def about(probe: str) -> str:
    """What a probe tests, in one line."""
    return registry.workload(probe).spec.summary


def table_text(outcomes: pd.DataFrame) -> str:
    """The verdicts in Markdown: a table of probes with their counts, then one of submissions.

    Args:
        outcomes: see `experiments.probes.verdicts.outcomes_frame`.
    """
    table = verdict_table(outcomes)
    return "\n".join([*_probe_lines(table), "", *_submission_lines(table)]) + "\n"


def _probe_lines(table: pd.DataFrame) -> Iterator[str]:
    yield "| probe | what is wrong | " + " | ".join(VERDICTS) + " |"
    yield "|---|---|" + "---|" * len(VERDICTS)
    for probe in (name for name in probe_names() if name in table.columns):
        counts = table[probe].value_counts()
        cells = " | ".join(str(counts.get(verdict, 0) or "") for verdict in VERDICTS)
        yield f"| `{probe}` | {about(probe)} | {cells} |"


def _submission_lines(table: pd.DataFrame) -> Iterator[str]:
    yield "| submission | passes | what breaks it |"
    yield "|---|---|---|"
    for submission, verdicts in table.iterrows():
        breaking_probes = [
            f"`{probe}`" + (f" ({verdict})" if verdict != "fail" else "")
            for probe, verdict in verdicts.items()
            if verdict != "pass"
        ]
        passes = f"{len(verdicts) - len(breaking_probes)} of {len(verdicts)}"
        yield f"| `{submission}` | {passes} | {', '.join(breaking_probes) or 'nothing'} |"
