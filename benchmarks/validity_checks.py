"""How often a verdict, an interval or a rank is wrong, on tables whose true values are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from validity_sources import LogNormal, Source, as_times, longest, read_recorded, table

from scoring.compare import compare_entries
from scoring.draws import draw_medians
from scoring.profile import score_medians
from scoring.rules import load_rules
from scoring.scoreboard import score_times
from scoring.sequential import log_ratios, sequential_test
from scoring.speedup import compare_pair, pair_limits
from scoring.times import Array, Times
from scoring.uncertainty import assess

DRAWS = 1000
RULES = load_rules()
FIRST = 2
"""Studies before the first look."""


def is_settled(times: Times) -> bool:
    """Whether `harness compare` settles the first two entries."""
    a, b = times.submissions[:2]
    return compare_entries(times, a, b, RULES, draws=DRAWS).more_studies == 0


def settled_fraction(source: Source, studies: int, pairs: int, ratio: float = 1.0) -> float:
    """Fraction of pairs that are settled after a number of studies fixed in advance."""
    random = np.random.default_rng([studies, pairs])
    return float(
        np.mean([is_settled(table(source, random, (1.0, ratio), studies)) for _ in range(pairs)])
    )


def split_pairs(times: Times) -> Iterator[Times]:
    """A/A pairs of published studies: two of an entry's five under one name, two under another.

    The split is drawn separately for each workload, as a study of one workload does not correspond
    to one of another. Entries that reached nothing are left out.
    """
    random = np.random.default_rng(1)
    for row in range(len(times.submissions)):
        own = times.hit[row]
        if not np.isfinite(own).any():
            continue
        for _ in range(SPLITS):
            order = random.permuted(np.tile(np.arange(own.shape[1]), (len(own), 1)), axis=1)
            best_times = np.take_along_axis(own, order, axis=1)
            yield as_times(np.stack([best_times[:, :2], best_times[:, 2:4]]), longest(times))


def recorded_pairs(studies: int = 3) -> Iterator[Times]:
    """A/A pairs of real runs: repeats of one tuned point on distinct instances, no run used twice.

    The runs are assigned to the two names alternately, in the order in which they were made; times
    are seconds of the referee's clock.
    """
    for _, part in read_recorded("repeats").groupby("workload"):
        seconds = part.sort_values("trial")["time_to_target_s"].to_numpy(float)
        limits = np.array([seconds[np.isfinite(seconds)].max()])
        for start in range(0, len(seconds) - 2 * studies + 1, 2 * studies):
            runs = seconds[start : start + 2 * studies].reshape(studies, 2)
            yield as_times(runs.T[:, None], limits)


SPLITS = 15
"""Splits of each entry: as many as there are ways to choose two and two of five."""


@dataclass(frozen=True)
class Adding:
    """The outcome of adding studies until a pair is settled."""

    settled_fraction: float
    """Fraction of pairs settled in favour of the faster entry; for equal pairs, of either."""
    wrong: float
    """Fraction settled in favour of the slower entry."""
    studies: float
    """Mean number of studies of each entry, including pairs that were given up."""


def add_studies(source: Source, ratio: float, pairs: int, most: int) -> Adding:
    """Add studies to pairs one by one until `scoring.sequential` settles them."""
    random = np.random.default_rng([most, pairs])
    signs, counts = [], []
    for _ in range(pairs):
        ratios = log_ratios(table(source, random, (1.0, ratio), most), RULES)
        looks = (sequential_test(ratios[:, :k]) for k in range(FIRST, most + 1))
        decision = next((test for test in looks if test.is_settled), None)
        signs.append(0.0 if decision is None else np.sign(decision.mean))
        counts.append(most if decision is None else decision.studies)
    sign = np.array(signs)
    in_favour, wrong = float((sign > 0).mean()), float((sign < 0).mean())
    if ratio == 1.0:
        in_favour, wrong = in_favour + wrong, 0.0
    return Adding(in_favour, wrong, float(np.mean(counts)))


def naive_error(source: Source, pairs: int, most: int) -> float:
    """Fraction of equal pairs that are settled if the rule for a single look is applied after every
    study.
    """
    random = np.random.default_rng([most, pairs])
    wrong = 0
    for _ in range(pairs):
        full = table(source, random, (1.0, 1.0), most)
        wrong += any(
            is_settled(as_times(full.hit[:, :, :k], source.limits)) for k in range(FIRST, most + 1)
        )
    return wrong / pairs


def screening_errors(source: Source, ratio: float, pairs: int) -> float:
    """Fraction of pairs in which one study ranks the slower entry first; if neither reaches, it
    counts half.
    """
    random = np.random.default_rng(pairs)
    signs = []
    for _ in range(pairs):
        ratios = log_ratios(table(source, random, (1.0, ratio), 1), RULES)
        signs.append(np.sign(ratios.mean()))
    sign = np.array(signs)
    return float((sign < 0).mean() + (sign == 0).mean() / 2)


@dataclass(frozen=True)
class ScoreCoverage:
    """How often score intervals and ranks are right, over the entries of simulated boards."""

    score_coverage: float
    """Fraction of 90 % score intervals that contain the score of the true medians."""
    speedups: float
    """Fraction of 90 % intervals of the speed-up over the first entry that contain the true one."""
    stated_probability: float
    """Mean fraction of draws of the most frequent rank."""
    right: float
    """Fraction of entries that have that rank."""


def score_coverage(
    studies: int, boards: int, entries: int, workloads: int, *, has_misses: bool
) -> ScoreCoverage:
    """Coverage on boards of entries whose medians differ by a factor of exp(0.3 z).

    With misses, each workload's limit is where its slowest entry misses a third of its studies.
    """
    random = np.random.default_rng([studies, boards])
    source = LogNormal(workloads)
    rows: list[Array] = []
    for number in range(boards):
        log_median = 0.3 * random.standard_normal((entries, workloads))
        hit = source.draw(random, entries, studies) * np.exp(log_median)[..., None]
        limits = 20 * np.exp(log_median.max(axis=0) + 0.07) if has_misses else source.limits
        times = as_times(np.where(hit > limits[:, None], np.inf, hit), limits)
        rows.append(_scores(times, np.exp(log_median), number))
    score_coverage, speedups, stated_probability, right = np.mean(rows, axis=0)
    return ScoreCoverage(score_coverage, speedups, stated_probability, right)


def _scores(times: Times, medians: Array, seed: int) -> Array:
    """For one board: score intervals and speed-ups that contain the truth, stated and true first
    ranks.
    """
    board = score_times(times, RULES)
    sure = assess(board, None, DRAWS, seed)
    assert sure is not None
    truth = score_medians(medians, times.workloads, RULES)
    low, high = sure.score_intervals.T
    ranks = (truth[None] > truth[:, None]).sum(axis=1)
    guess = sure.rank_fractions.argmax(axis=1)
    return np.array(
        [
            ((low <= truth) & (truth <= high)).mean(),
            _speedup_holds(times, medians, seed),
            sure.rank_fractions.max(axis=1).mean(),
            (guess == ranks).mean(),
        ]
    )


def _speedup_holds(times: Times, medians: Array, seed: int) -> float:
    sample = draw_medians(times, RULES, DRAWS, seed)
    draws = np.concatenate(list(sample.chunks))
    pair = compare_pair(draws[:, 0], draws[:, 1], pair_limits(times, 0, 1), sample.spread)
    low, _, high = pair.interval(0.90)
    return float(low <= np.exp(np.log(medians[1] / medians[0]).mean()) <= high)


@dataclass(frozen=True)
class PublishedScreening:
    """One study of three trials against the five-study verdict, by size of the difference."""

    least: float
    """The smallest factor of the band."""
    pairs: int
    wrong: float


BANDS = (1.0, 1.1, 1.3, np.inf)


def screen_published(trials: Array, studies: Times, random: np.random.Generator) -> Array:
    """Pairs that five studies settle: the factor, and how often a screening contradicts it.

    Args:
        trials: times of the trials (S, W, K, T) of `studies`, infinite if missed.
        studies: the study times (S, W, K).
        random: draws the study and three of its trials for each entry and workload.

    Returns:
        (pairs, 2): the factor, at least 1, and the fraction of screenings that are wrong.
    """
    rows = []
    for a, b in combinations(range(len(studies.submissions)), 2):
        one, other = studies.submissions[a], studies.submissions[b]
        verdict = compare_entries(studies, one, other, RULES, draws=DRAWS)
        if verdict.more_studies != 0 or verdict.overall is None:
            continue
        sign = np.sign(verdict.overall.logs.mean())
        limit = pair_limits(studies, a, b).shared
        wrong = _contradictions(trials[[a, b]], limit, sign, random)
        rows.append((np.exp(abs(np.log(verdict.factor.overall))), wrong))
    return np.array(rows).reshape(-1, 2)


def _contradictions(
    trials: Array, limit: Array, sign: float, random: np.random.Generator, screenings: int = 200
) -> float:
    """Fraction of screenings of a pair (2, W, K, T) with the opposite order; a tie counts half."""
    _, workloads, studies, count = trials.shape
    wrong = 0.0
    for _ in range(screenings):
        study = random.integers(studies, size=workloads)
        own = trials[:, np.arange(workloads), study]
        order = random.permuted(np.tile(np.arange(count), (2, workloads, 1)), axis=-1)
        best = np.take_along_axis(own, order[..., :3], axis=-1).min(axis=-1)
        logs = np.log(np.minimum(best, np.maximum(limit, 1.0)))
        direction = sign * np.sign((logs[1] - logs[0]).mean())
        wrong += 1.0 if direction < 0 else 0.5 if direction == 0 else 0.0
    return wrong / screenings
