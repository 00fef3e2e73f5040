"""How often is it right? Error rates of verdicts, screenings, intervals and ranks.

    python benchmarks/validity.py [--logs LOGS/external_tuning] [--write docs/SCORING.md] [--quick]

All of it runs the code of `harness compare`, `score` and `run --until-settled`. LOGS is the
unpacked folder of AlgoPerf's published v0.5 logs; without it the rows from published studies are
left out. `--write` puts the tables between the page's two marks, with the date.
"""

from __future__ import annotations

import argparse
import datetime
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from validity_checks import (
    BANDS,
    add_studies,
    is_settled,
    naive_error,
    recorded_pairs,
    score_coverage,
    screen_published,
    screening_errors,
    settled_fraction,
    split_pairs,
)
from validity_page import markdown, percent, write
from validity_published import read_published
from validity_sources import (
    LogNormal,
    PublishedStudies,
    Source,
    count,
    recorded_screenings,
    screening_noise,
)

from scoring.screening import wrong_order
from scoring.times import Array, Times

PAIRS, AA_PAIRS = 300, 2000
"""Pairs of a cell; of equal entries, whose error is held against 5 %, enough for half a point."""
BOARDS = ((4, 4, False), (8, 4, False), (8, 8, False), (8, 8, True))
"""Entries, workloads, and whether targets are missed."""


class Validity:
    """The tables, each from a number of pairs a cell; that of equal entries from one of its own."""

    def __init__(self, pairs: int, aa_pairs: int, logs: Path | None) -> None:
        self.pairs, self.aa_pairs = pairs, aa_pairs
        self.screening_source = recorded_screenings()
        self.published_studies: tuple[Times, Array] | None = read_published(logs) if logs else None

    def sources(self) -> Iterator[Source]:
        yield LogNormal(1)
        yield LogNormal(4)
        yield LogNormal(4, heavy=True)
        yield self.screening_source.only("mlp")
        yield self.screening_source
        if self.published_studies is not None:
            times, _ = self.published_studies
            yield PublishedStudies(times, times.index("schedule_free_adamw"))

    def lines(self) -> Iterator[str]:
        yield from self.equal_pairs()
        yield from self.adding()
        yield from self.screenings()
        yield from self.scores()

    def equal_pairs(self) -> Iterator[str]:
        error = percent(math.sqrt(0.05 * 0.95 / self.aa_pairs))
        yield "**A/A**: pairs of equal entries that `harness compare` settles, of"
        yield f"{self.aa_pairs} a cell (standard error {error})."
        yield ""
        counts = (2, 3, 5, 10)
        rates = {
            source.name: [settled_fraction(source, k, self.aa_pairs) for k in counts]
            for source in self.sources()
        }
        rates["all"] = list(np.mean(list(rates.values()), axis=0))
        rows = [[name, *map(percent, values)] for name, values in rates.items()]
        yield from markdown(["noise", *(f"{k} studies" for k in counts)], rows)
        real = [is_settled(times) for times in recorded_pairs()]
        yield (
            f"By real runs in seconds, three of each on distinct instances: {sum(real)} of "
            f"{len(real)} pairs settled."
        )
        yield ""
        if self.published_studies is not None:
            verdicts = [is_settled(times) for times in split_pairs(self.published_studies[0])]
            yield (
                f"One published entry's studies split in two and two: {sum(verdicts)} of "
                f"{len(verdicts)} pairs settled ({percent(float(np.mean(verdicts)))})."
            )
            yield ""

    def adding(self, most: int = 20) -> Iterator[str]:
        yield f"**Adding studies until settled**, up to {most}: pairs settled, those settled for"
        yield "the slower entry, and the mean number of studies of each."
        yield ""
        ratios = (1.0, 1.1, 1.2, 1.5, 2.0)
        rows = []
        for source in self.sources():
            cells = []
            for ratio in ratios:
                outcome = add_studies(source, ratio, self.pairs, most)
                cell = f"{percent(outcome.settled_fraction)}, {outcome.studies:.1f}"
                cells.append(cell if ratio == 1 else f"{cell} (wrong {percent(outcome.wrong)})")
            rows.append([source.name, *cells])
        heads = ["equal (error)", *(f"{ratio:g} times" for ratio in ratios[1:])]
        yield from markdown(["noise", *heads], rows)
        few = max(40, self.pairs // 5)
        error = naive_error(LogNormal(4), few, most)
        yield f"With the rule for one look, asked after every study, {percent(error)} of {few}"
        yield "equal pairs (log-normal, 4 workloads) end as settled."
        yield ""

    def screenings(self) -> Iterator[str]:
        noise = screening_noise()
        yield "**A screening**, one study of three trials: its log time has a standard deviation of"
        yield f"{noise:.2f}. Pairs that it ranks wrongly, of {4 * self.pairs} drawn from recorded"
        yield "trials, and by the formula that `harness score` prints:"
        yield ""
        ratios = (1.1, 1.2, 1.5, 2.0)
        sources = [self.screening_source.only(name) for name in self.screening_source.trials] + [
            self.screening_source
        ]
        names = [*self.screening_source.trials, "all four"]
        rows = [
            [name, *(percent(screening_errors(s, ratio, 4 * self.pairs)) for ratio in ratios)]
            for name, s in zip(names, sources, strict=True)
        ]
        for workloads in (1, 4):
            cells = [percent(wrong_order(ratio, workloads, noise)) for ratio in ratios]
            rows.append([f"formula, {count(workloads)}", *cells])
        yield from markdown(["workload", *(f"{ratio:g} times" for ratio in ratios)], rows)
        if self.published_studies is not None:
            yield from self._screenings_of_published(*self.published_studies)

    def _screenings_of_published(self, times: Times, trials: Array) -> Iterator[str]:
        screenings = screen_published(trials, times, np.random.default_rng(0))
        yield "Against AlgoPerf's five-study verdict: pairs of published entries that five studies"
        yield "settle, screened with three trials of one study on all eight workloads."
        yield ""
        rows = []
        for low, high in pairwise(BANDS):
            part = screenings[(screenings[:, 0] >= low) & (screenings[:, 0] < high)]
            wrong = percent(part[:, 1].mean()) if len(part) else "-"
            name = f"{low:g} to {high:g}" if np.isfinite(high) else f"above {low:g}"
            rows.append([name, str(len(part)), wrong])
        yield from markdown(["factor", "settled pairs", "screenings that contradict it"], rows)

    def scores(self) -> Iterator[str]:
        yield "**Scores and ranks**: boards of log-normal noise; how often a 90 % interval holds"
        yield "the truth, and how often the likeliest rank is the true one."
        yield ""
        rows = []
        for entries, workloads, has_misses in BOARDS:
            for studies in (3, 5, 10):
                coverage = score_coverage(
                    studies, self.pairs // 2, entries, workloads, has_misses=has_misses
                )
                shares = (
                    coverage.score_coverage,
                    coverage.speedups,
                    coverage.stated_probability,
                    coverage.right,
                )
                name = f"{entries} on {count(workloads)}{', with misses' if has_misses else ''}"
                rows.append([name, str(studies), *map(percent, shares)])
        head = ["entries", "studies", "scores", "speed-ups", "likeliest rank: stated", "true"]
        yield from markdown(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, help="AlgoPerf's folder of submissions' logs")
    parser.add_argument("--write", type=Path, help="the page that has the tables")
    parser.add_argument("--quick", action="store_true", help="40 pairs")
    arguments = parser.parse_args()
    lines = []
    counts = (40, 40) if arguments.quick else (PAIRS, AA_PAIRS)
    for line in Validity(*counts, arguments.logs).lines():
        print(line, flush=True)
        lines.append(line)
    if arguments.write is not None:
        day = datetime.datetime.now(datetime.UTC).date()
        write(
            arguments.write,
            "validity",
            "\n".join([f"Measured on {day.day} {day:%B %Y}.", "", *lines]),
        )


if __name__ == "__main__":
    main()
