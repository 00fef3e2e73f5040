"""How often an interval contains the truth, on simulated tables whose medians are known.

The tables have two kinds of log-normal noise: the entry's own, and the instance's, which entries
share.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from validity_sources import Source, table

from scoring.attribution import attribute
from scoring.draws import draw_medians
from scoring.pool import critical_difference
from scoring.profile import score_medians
from scoring.rules import load_rules
from scoring.scoreboard import score_times
from scoring.sequential import log_ratios, sequential_test
from scoring.site.ranking import rank_entries
from scoring.speedup import PairwiseComparison, compare_pair, pair_limits
from scoring.times import Array, Times
from scoring.uncertainty import assess

DRAWS = 1000
RULES = load_rules()
STEP_NOISE = 0.03
"""Standard deviation of the log cost of a step."""


@dataclass(frozen=True)
class Plan:
    """How tables are simulated: log-normal study times around known medians."""

    studies: int
    has_misses: bool
    entries: int = 4
    workloads: int = 4
    noise: float = 0.15
    instance_noise: float = 0.10
    spread: float = 0.3
    """Standard deviation of the entries' log medians; 0 makes equal entries."""

    def table(self, random: np.random.Generator) -> tuple[Times, Array]:
        """Study times, and the logarithms of their medians (S, W).

        With misses, the limit of a workload is such that the slowest entry misses it in about a
        third of its studies; its median is still within the limit.
        """
        shape = (self.entries, self.workloads, self.studies)
        log_median = np.log(20.0) + self.spread * random.standard_normal(shape[:2])
        instance = self.instance_noise * random.standard_normal(shape[1:])
        own = self.noise * random.standard_normal(shape)
        times = np.exp(log_median[..., None] + instance + own)
        limit = np.full(shape[:2], 1e6)
        if self.has_misses:
            deviation = np.hypot(self.noise, self.instance_noise)
            limit[:] = np.exp(log_median.max(axis=0) + 0.4 * deviation)
        hit = np.where(times > limit[..., None], np.inf, times)
        names = [
            tuple(f"{kind}{i}" for i in range(n)) for kind, n in zip("swk", shape, strict=True)
        ]
        return Times(names[0], names[1], names[2], hit, hit.copy(), limit), log_median


@dataclass(frozen=True)
class Coverage:
    """The coverage for entry 0 against entry 1, over simulated tables."""

    at_90: float
    """Fraction of 90 % intervals of the speed-up over all workloads that contain the true one."""
    at_95: float
    single_at_95: float
    """The same for the 95 % intervals of single workloads."""
    stated_probability: float
    """Mean probability that the entry which is more likely faster is faster."""
    right: float
    """Fraction of tables in which it is."""


def coverage(plan: Plan, tables: int, draws: int = DRAWS) -> Coverage:
    """Simulate tables and ask `harness score` and `compare` for their intervals."""
    rows = []
    for number in range(tables):
        times, log_median = plan.table(np.random.default_rng([7, number]))
        sample = draw_medians(times, RULES, draws, number)
        medians = np.concatenate(list(sample.chunks))
        own, other, limits = medians[:, 0], medians[:, 1], pair_limits(times, 0, 1)
        overall = compare_pair(own, other, limits, sample.spread)
        truth = log_median[1] - log_median[0]
        singles = [
            _holds(compare_pair(own[:, [w]], other[:, [w]], limits.take([w])), truth[w], 0.95)
            for w in range(plan.workloads)
        ]
        chance, is_faster = overall.probability, truth.mean() > 0
        rows.append(
            (
                _holds(overall, truth.mean(), 0.90),
                _holds(overall, truth.mean(), 0.95),
                float(np.mean(singles)),
                max(chance, 1 - chance),
                (chance > 0.5) == is_faster,
            )
        )
    return Coverage(*np.mean(rows, axis=0).tolist())


def _holds(pair: PairwiseComparison, log_factor: float, level: float) -> bool:
    low, _, high = pair.interval(level)
    return bool(low <= np.exp(log_factor) <= high)


def score_coverage(plan: Plan, tables: int, draws: int) -> float:
    """The fraction of entries whose score interval contains the score of the true medians."""
    coverages = []
    for number in range(tables):
        times, log_median = plan.table(np.random.default_rng([8, number]))
        sure = assess(score_times(times, RULES), None, draws, number)
        assert sure is not None
        truth = score_medians(np.exp(log_median), times.workloads, RULES)
        low, high = sure.score_intervals.T
        coverages.append((low <= truth + 1e-9) & (truth <= high + 1e-9))
    return float(np.mean(coverages))


@dataclass(frozen=True)
class SequenceCoverage:
    """The coverage of the intervals that `harness run --until-settled` prints."""

    last: float
    """Fraction of pairs whose last interval contains the true factor."""
    every: float
    """Fraction of pairs for which all intervals up to the last contain it."""


def sequence_coverage(source: Source, ratio: float, pairs: int, most: int) -> SequenceCoverage:
    """Add studies to pairs with a known factor until they are settled, and check the intervals."""
    random = np.random.default_rng([most, pairs])
    rows = []
    for _ in range(pairs):
        ratios = log_ratios(table(source, random, (1.0, ratio), most), RULES)
        holds = []
        for studies in range(2, most + 1):
            test = sequential_test(ratios[:, :studies])
            low, high = test.interval()
            holds.append(low <= ratio <= high)
            if test.is_settled:
                break
        rows.append((holds[-1], all(holds)))
    return SequenceCoverage(*np.mean(rows, axis=0).tolist())


def attribution_coverage(plan: Plan, tables: int) -> Array:
    """How often the 95 % intervals of seconds, steps and step cost contain the true factors.

    The noise of `plan` is that of steps; a step's cost varies by `STEP_NOISE`. The seconds per step
    of entry 0 are 0.8 times those of entry 1. Tables without two studies in which both reached have
    no attribution, and are left out.

    Returns:
        (3,): the fractions.
    """
    rows = []
    for number in range(tables):
        random = np.random.default_rng([9, number])
        steps, log_median = plan.table(random)
        own_cost = np.array([0.8, 1.0])[:, None, None]
        cost = own_cost * np.exp(STEP_NOISE * random.standard_normal(steps.hit.shape))
        attribution = attribute(_trials(steps, cost), "s0", "s1", RULES)
        if attribution is None:
            continue
        truth = float(np.exp((log_median[1] - log_median[0]).mean()))
        parts = (attribution.seconds, attribution.steps, attribution.step_cost)
        factors = (truth / 0.8, truth, 1 / 0.8)
        rows.append([p.low <= f <= p.high for p, f in zip(parts, factors, strict=True)])
    return np.asarray(np.mean(rows, axis=0))


def _trials(steps: Times, cost: Array) -> pd.DataFrame:
    """One trial for each study of a table of steps, as a prepared results frame."""
    names = (steps.submissions, steps.workloads, range(1, len(steps.studies) + 1))
    index = pd.MultiIndex.from_product(names, names=["entry", "column", "study"])
    hit = steps.hit.ravel()
    seconds = hit * cost.ravel()
    frame = pd.DataFrame(
        {
            "time_to_target_s": seconds, "last_miss_s": seconds, "hit_s": seconds,
            "steps_to_target": np.where(np.isfinite(hit), hit, np.nan),
            "state": np.where(np.isfinite(hit), "reached", "budget"),
        },
        index=index,
    ).reset_index()  # fmt: skip
    return frame.assign(
        submission=frame["entry"], framework="torch", trial=1, direction="minimize",
        best_metric=0.0, record="", identity=[str(row) for row in frame.index],
    )  # fmt: skip


@dataclass(frozen=True)
class FamilyError:
    """How often any two entries of a board of equal entries are told apart."""

    by_site_ranks: float
    """By the site's ranks, which settle each pair as `harness compare` does."""
    by_critical_difference: float
    """By the report's critical difference."""


def family_error(plan: Plan, boards: int, draws: int = DRAWS) -> FamilyError:
    """Simulate boards of a plan whose `spread` is 0."""
    rows = []
    for number in range(boards):
        times, _ = plan.table(np.random.default_rng([10, number]))
        board = score_times(times, RULES)
        ranking, difference = rank_entries(board, draws, number), critical_difference(board)
        assert ranking is not None
        assert difference is not None
        gaps = [abs(a - b) for a, b in combinations(difference.mean_ranks, 2)]
        rows.append((ranking.is_settled.any(), max(gaps) > difference.difference))
    return FamilyError(*np.mean(rows, axis=0).tolist())
