"""Finished pairs of one submission under two names: their comparison, as a file and a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from limited_runs import days
from validity_page import markdown, percent

from harness.record.tables import results_frame
from harness.runs.until_settled import Pair
from scoring.compare import LEVEL, compare_entries
from scoring.evaluate import score_results
from scoring.standing import HELD_RULE
from workloads.spec import Frozen

RECORDS = Path(__file__).parent / "records" / "equal_runs.json"
UNSCORED = "unscored-trials"


class TrialTimes(Frozen):
    """A trial under its two names: seconds to the target and steps, None where it was missed."""

    first_s: float | None
    second_s: float | None
    first_steps: float | None
    second_steps: float | None


class RealPair(Frozen):
    """A submission under two names, on the instances of one round."""

    submission: str
    round_seed: str
    first_s: tuple[float | None, ...]
    """Seconds to the target in each study; None if it was missed."""
    second_s: tuple[float | None, ...]
    factor: float
    """The median time of the second over that of the first."""
    low: float | None
    """The lower end of the factor's interval at `LEVEL`; None without an interval."""
    high: float | None
    is_settled: bool
    """By `harness compare`, for a number of studies fixed in advance."""
    is_settled_by_adding: bool
    """By the rule of `harness run --until-settled`."""
    flags: tuple[str, ...]
    """The flags of the scoreboard of these trials."""
    trials: tuple[TrialTimes, ...]
    hardware: str
    """The fingerprint of the machine."""
    begun_at: str
    """When its first trial began, UTC, ISO 8601."""


class EqualRuns(Frozen):
    """All pairs, and where and when they ran."""

    suite: str
    workload: str
    is_default_point: bool
    """Whether every trial was at the submission's default point instead of a drawn one."""
    machine: str
    """The machine in words."""
    pairs: tuple[RealPair, ...]


def read_pair(pair: Pair, store: Path, submission: str, round_seed: str) -> RealPair:
    """The comparison of a finished pair.

    Args:
        pair: the plans of both names.
        store: the folder of their records.
        submission: the submission that both are copies of.
        round_seed: the seed of the instances on which both ran.
    """
    identities = [t.identity for plan in (*pair.mine, *pair.theirs) for t in plan.trials]
    frame = results_frame(store)
    frame = frame[frame["identity"].isin(identities)]
    allowed_rules = (HELD_RULE,) if frame["scored"].all() else (HELD_RULE, UNSCORED)
    board = score_results(frame, allowed_rules=allowed_rules)
    first, second = pair.names
    comparison = compare_entries(board.times, first, second, board.rules)
    interval = comparison.overall.interval(LEVEL) if comparison.overall else (None, None, None)
    mine, theirs = board.times.take([first, second]).hit[:, 0]
    return RealPair(
        submission=submission,
        round_seed=round_seed,
        first_s=_seconds(mine),
        second_s=_seconds(theirs),
        factor=comparison.factor.overall,
        low=_finite(interval[0]),
        high=_finite(interval[2]),
        is_settled=comparison.more_studies == 0,
        is_settled_by_adding=comparison.sequential.is_settled,
        flags=board.flags,
        trials=tuple(_trials(frame, first, second)),
        hardware=str(frame["hardware"].iloc[0]),
        begun_at=str(frame["begun_at"].min()),
    )


def _trials(frame: pd.DataFrame, first: str, second: str) -> Iterator[TrialTimes]:
    keys, columns = ["study", "trial"], ["time_to_target_s", "steps_to_target"]
    mine, theirs = (
        frame.loc[frame["submission"] == name, keys + columns] for name in (first, second)
    )
    both = mine.merge(theirs, on=keys, suffixes=("", "_second")).sort_values(keys)
    for values in both.drop(columns=keys).to_numpy(float):
        first_s, first_steps, second_s, second_steps = map(_finite, values)
        yield TrialTimes(
            first_s=first_s, second_s=second_s, first_steps=first_steps, second_steps=second_steps
        )


def _seconds(values: Sequence[float]) -> tuple[float | None, ...]:
    return tuple(map(_finite, values))


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def lines(runs: EqualRuns) -> Iterator[str]:
    """The table of all pairs, and a summary."""
    pairs = runs.pairs
    studies, trials = len(pairs[0].first_s), len(pairs[0].trials)
    yield f"Measured {days(pair.begun_at for pair in pairs)} on {runs.machine}:"
    yield f"{len(pairs)} pairs of one submission under two names on `{runs.workload}` of"
    each = trials // studies
    count = f"{each} trial{'s' if each > 1 else ''}"
    where = "its default point" if runs.is_default_point else "points drawn from its space"
    yield f"`{runs.suite}`, {studies} studies of {count} each at {where}, in seconds."
    yield ""
    head = ["submission", "first name, s", "second name, s", "factor", "compare", "adding studies"]
    yield from markdown(head, [_row(pair) for pair in pairs])
    by_compare = sum(pair.is_settled for pair in pairs)
    by_adding = sum(pair.is_settled_by_adding for pair in pairs)
    counts = f"{by_compare} of {len(pairs)} pairs"
    yield f"`harness compare` settles {counts}, the rule for adding studies"
    yield f"{by_adding}. {_noise([trial for pair in pairs for trial in pair.trials])}"


def _row(pair: RealPair) -> list[str]:
    has_interval = pair.low is not None and pair.high is not None
    return [
        f"`{pair.submission}`",
        _times_text(pair.first_s),
        _times_text(pair.second_s),
        f"{pair.factor:.3f}" + (f" [{pair.low:.3f}, {pair.high:.3f}]" if has_interval else ""),
        _verdict(is_settled=pair.is_settled),
        _verdict(is_settled=pair.is_settled_by_adding),
    ]


def _times_text(times_s: Sequence[float | None]) -> str:
    return ", ".join("not reached" if time_s is None else f"{time_s:.2f}" for time_s in times_s)


def _verdict(*, is_settled: bool) -> str:
    return "settled" if is_settled else "not settled"


def _noise(trials: Sequence[TrialTimes]) -> str:
    """How far apart the times of one trial under the two names are."""
    both = [(t.first_s, t.second_s) for t in trials if t.first_s and t.second_s]
    one = sum((t.first_s is None) != (t.second_s is None) for t in trials)
    text = (
        f"Of {len(trials)} trials {len(both)} reached the target\nunder both names, {one} under one"
    )
    if not both:
        return f"{text}."
    same = sum(t.first_steps == t.second_steps for t in trials if t.first_s and t.second_s)
    apart = np.exp(np.abs(np.diff(np.log(both)))) - 1
    return (
        f"{text}; {same} of these in the same number of steps.\n"
        f"The two times of such a trial differ by {percent(float(np.median(apart)))} in the "
        f"median, {percent(float(apart.max()))} at most."
    )
