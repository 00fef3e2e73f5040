"""How often each interval that `score`, `compare` and the site print contains the truth.

    python benchmarks/validity_coverage.py --write docs/SCORING.md

The tables of times are simulated (`validity_intervals`), so load on the machine does not matter. It
takes about ten minutes on one processor.
"""

from __future__ import annotations

import argparse
import datetime
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from validity_intervals import (
    STEP_NOISE,
    Plan,
    attribution_coverage,
    coverage,
    family_error,
    sequence_coverage,
)
from validity_page import markdown, percent, write
from validity_sources import LogNormal, Source, recorded_screenings

TABLES = 1500
MOST = 20
"""The maximum number of studies that are added to a pair."""
ROWS = (
    Plan(2, False, entries=2, workloads=1),
    Plan(3, False, entries=2, workloads=1),
    Plan(5, False, entries=2, workloads=1),
    Plan(10, False, entries=2, workloads=1),
    Plan(2, False),
    Plan(3, False),
    Plan(5, False),
    Plan(10, False),
    Plan(5, False, entries=2, workloads=8),
    Plan(10, False, entries=2, workloads=8),
)
"""The settings of the page's rows, each once without and once with times beyond the limit."""
BOARDS = (
    Plan(3, False, entries=4, workloads=4, spread=0.0),
    Plan(5, False, entries=4, workloads=4, spread=0.0),
    Plan(3, False, entries=8, workloads=4, spread=0.0),
    Plan(5, False, entries=8, workloads=4, spread=0.0),
    Plan(5, False, entries=8, workloads=8, spread=0.0),
)
"""Boards of equal entries."""


def lines(tables: int) -> Iterator[str]:
    """The tables of the page.

    Args:
        tables: how many are simulated for each cell.
    """
    day = datetime.datetime.now(datetime.UTC).date()
    errors = (percent(math.sqrt(p * (1 - p) / tables)) for p in (0.9, 0.95))
    yield f"Measured on {day.day} {day:%B %Y}: {tables} tables a cell (standard error"
    yield f"{next(errors)} at 90 %, {next(errors)} at 95 %)."
    yield ""
    yield from speedups(tables)
    yield from sequences(tables)
    yield from attributions(tables)
    yield from equal_boards(tables)


def speedups(tables: int) -> Iterator[str]:
    """The intervals of `score`, of `compare` and of single workloads; P(A faster)."""
    yield "**Speed-ups**: over all workloads at 90 % (`score`, `widths`, a board's page) and at"
    yield "95 % (`compare`, the page of a pair), on each workload at 95 %; and P(A faster) of the"
    yield "entry that is more likely faster: its mean, and how often that one is."
    yield ""
    kinds = ("90 %", "95 %", "each workload, 95 %", "P stated", "P true")
    rows = []
    for plan in ROWS:
        for has_misses in (False, True):
            c = coverage(replace(plan, has_misses=has_misses), tables)
            counts = map(str, (plan.studies, plan.workloads, plan.entries))
            fractions = (c.at_90, c.at_95, c.single_at_95, c.stated_probability, c.right)
            rows.append([*counts, "yes" if has_misses else "no", *map(percent, fractions)])
    yield from markdown(["studies", "workloads", "entries", "misses", *kinds], rows)


def sequences(tables: int) -> Iterator[str]:
    """The intervals of `run --until-settled`."""
    yield f"**Adding studies until settled**, up to {MOST}: pairs whose last interval holds the"
    yield "true factor, and pairs of which every interval did."
    yield ""
    ratios = (1.0, 1.2, 2.0)
    screenings = recorded_screenings()
    sources: tuple[Source, ...] = (
        LogNormal(1), LogNormal(4), LogNormal(4, heavy=True), screenings.only("mlp"), screenings,
    )  # fmt: skip
    rows = []
    for source in sources:
        results = (sequence_coverage(source, ratio, tables, MOST) for ratio in ratios)
        rows.append([source.name, *(f"{percent(r.last)}, {percent(r.every)}" for r in results)])
    heads = ["equal", *(f"{ratio:g} times" for ratio in ratios[1:])]
    yield from markdown(["noise", *heads], rows)


def attributions(tables: int) -> Iterator[str]:
    """The intervals of steps and of their cost."""
    yield "**Steps and the cost of a step** at 95 %; a step's cost varies by"
    yield f"{percent(STEP_NOISE)}, and studies that one of the two missed are left out."
    yield ""
    rows = []
    for studies, workloads in ((2, 1), (3, 1), (3, 4), (5, 4), (10, 4)):
        plan = Plan(studies, False, entries=2, workloads=workloads)
        both = (
            attribution_coverage(replace(plan, has_misses=has_misses), tables)
            for has_misses in (False, True)
        )
        cells = [percent(value) for parts in both for value in parts]
        rows.append([str(studies), str(workloads), *cells])
    kinds = ("seconds", "steps", "cost")
    head = ["studies", "workloads", *kinds, *(f"misses: {kind}" for kind in kinds)]
    yield from markdown(head, rows)


def equal_boards(tables: int) -> Iterator[str]:
    """How often equal entries are ranked apart."""
    yield "**Ranks of equal entries**: boards on which any two are told apart, by the site's ranks"
    yield "(each pair settled by itself) and by the report's critical difference at 10 %."
    yield ""
    rows = []
    for plan in BOARDS:
        error = family_error(plan, tables)
        counts = map(str, (plan.entries, plan.workloads, plan.studies))
        rows.append([*counts, percent(error.by_site_ranks), percent(error.by_critical_difference)])
    yield from markdown(["entries", "workloads", "studies", "ranks", "critical difference"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=TABLES, help="for each cell")
    parser.add_argument("--write", type=Path, help="the page that has the tables")
    arguments = parser.parse_args()
    text = []
    for line in lines(arguments.tables):
        print(line, flush=True)
        text.append(line)
    if arguments.write is not None:
        write(arguments.write, "coverage", "\n".join(text))


if __name__ == "__main__":
    main()
