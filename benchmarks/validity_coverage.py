"""How often an interval of the speed-up holds the truth, on tables whose medians are known.

    python benchmarks/validity_coverage.py --write docs/SCORING.md

The tables are simulated: log-normal noise around drawn medians. It takes minutes of one processor.
"""

from __future__ import annotations

import argparse
import datetime
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from validity_page import markdown, percent, write

from scoring.draws import draw_medians
from scoring.profile import score_medians
from scoring.rules import load_rules
from scoring.scoreboard import score_times
from scoring.speedup import compare_pair, pair_limit
from scoring.times import Times
from scoring.uncertainty import assess

TABLES, DRAWS = 1500, 1000


@dataclass(frozen=True)
class Plan:
    """How tables are made: log-normal study times around known medians."""

    studies: int
    censored: bool
    entries: int = 4
    workloads: int = 4
    noise: float = 0.15
    instance_noise: float = 0.10

    def table(self, random: np.random.Generator) -> tuple[Times, np.ndarray]:
        """Study times, and the logarithms of their medians (S, W).

        Censored, the limit of a workload lies where the slowest entry misses it in about a third
        of its studies: its median is still within.
        """
        shape = (self.entries, self.workloads, self.studies)
        log_median = np.log(20.0) + 0.3 * random.standard_normal(shape[:2])
        instance = self.instance_noise * random.standard_normal(shape[1:])
        own = self.noise * random.standard_normal(shape)
        times = np.exp(log_median[..., None] + instance + own)
        limit = np.full(shape[:2], 1e6)
        if self.censored:
            spread = np.hypot(self.noise, self.instance_noise)
            limit[:] = np.exp(log_median.max(axis=0) + 0.4 * spread)
        hit = np.where(times > limit[..., None], np.inf, times)
        names = [
            tuple(f"{kind}{i}" for i in range(n)) for kind, n in zip("swk", shape, strict=True)
        ]
        return Times(names[0], names[1], names[2], hit, hit.copy(), limit), log_median


def coverage(plan: Plan, tables: int, draws: int = DRAWS) -> float:
    """The fraction of tables whose interval of entry 0's speed-up over entry 1 holds the truth."""
    rules = load_rules()
    hits = 0
    for number in range(tables):
        times, log_median = plan.table(np.random.default_rng([7, number]))
        sample = draw_medians(times, rules, draws, number)
        medians = np.concatenate(list(sample.chunks))
        comparison = compare_pair(
            medians[:, 0], medians[:, 1], pair_limit(times, 0, 1), sample.spread
        )
        low, _, high = comparison.interval()
        truth = np.exp((log_median[1] - log_median[0]).mean())
        hits += low <= truth <= high
    return hits / tables


def score_coverage(plan: Plan, tables: int, draws: int) -> float:
    """The fraction of entries whose score interval holds the score of the true medians."""
    rules = load_rules()
    coverages = []
    for number in range(tables):
        times, log_median = plan.table(np.random.default_rng([8, number]))
        sure = assess(score_times(times, rules), None, draws, number)
        assert sure is not None
        truth = score_medians(np.exp(log_median), times.workloads, rules)
        low, high = sure.score_intervals.T
        coverages.append((low <= truth + 1e-9) & (truth <= high + 1e-9))
    return float(np.mean(coverages))


ROWS = (
    Plan(3, False),
    Plan(5, False),
    Plan(10, False),
    Plan(5, False, entries=2, workloads=1),
    Plan(5, False, entries=2, workloads=8),
    Plan(10, False, entries=2, workloads=1),
    Plan(10, False, entries=2, workloads=8),
)
"""What the page has a row of, once without and once with times beyond the limit."""


def lines(tables: int) -> Iterator[str]:
    """The table of the page, and what lies behind it.

    Args:
        tables: how many are simulated for each of its cells.
    """
    day = datetime.datetime.now(datetime.UTC).date()
    error = percent(math.sqrt(0.9 * 0.1 / tables))
    yield f"Measured on {day:%d %B %Y}: {tables} tables a cell (standard error {error})."
    yield ""
    rows = []
    for plan in ROWS:
        counts = map(str, (plan.studies, plan.workloads, plan.entries))
        cells = [coverage(replace(plan, censored=censored), tables) for censored in (False, True)]
        rows.append([*counts, *map(percent, cells)])
        print(" | ".join(rows[-1]), flush=True)
    yield from markdown(["studies", "workloads", "entries", "not censored", "censored"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=TABLES, help="for each cell")
    parser.add_argument("--write", type=Path, help="the page that has the table")
    arguments = parser.parse_args()
    text = "\n".join(lines(arguments.tables))
    print(text)
    if arguments.write is not None:
        write(arguments.write, "coverage", text)


if __name__ == "__main__":
    main()
