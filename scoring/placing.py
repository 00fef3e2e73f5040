"""The place of a run's entries on a board, which may come from another machine.

Each pair is compared as by `harness compare`, on the workloads and studies that both have. Step
counts do not depend on the machine; seconds must be from the same machine, or converted to it
(`scoring.normalise`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness.core.errors import HarnessError, ManyReasonsError
from scoring.clock import CLOCKS, Clock
from scoring.compare import Comparison, compare_entries
from scoring.frame import finished_trials, held_out_of
from scoring.mixtures import frame_breaches
from scoring.refusals import RULES
from scoring.rules import load_rules
from scoring.screening import screening_error
from scoring.speedup import Factor
from scoring.studies import times_of

SAME = ("suite", "ruleset", "framework", "round")
"""The columns in which a run and a board must agree, because instances depend on them."""
EFFORT_RULES = {"unequal-trials", "unscored-trials", "unfinished-trials"}
"""The rules of a score that a run and a board must keep together."""
DRAWS = 1000
SHOWN_COUNT = 6
"""The maximum number of settled entries that are named."""


@dataclass(frozen=True, eq=False)
class Place:
    """The place of an entry among those of a board."""

    entry: str
    again: str
    """The command that runs the entry on the same workloads again."""
    out: str
    """The option that adds to the same folder; '' for the folder that is the default."""
    clock: Clock
    comparisons: Mapping[str, Comparison]
    """Comparisons with the board's entries, fastest first; a factor above 1 means that this entry
    is faster."""
    studies: Mapping[str, int]
    """For each comparison, the number of studies that the board has on all its workloads."""

    @property
    def workloads(self) -> tuple[str, ...]:
        """The data that the comparisons are based on, in words."""
        return next(iter(self.comparisons.values())).workloads

    @property
    def faster(self) -> list[str]:
        """The board's entries that appear faster, nearest last."""
        return [name for name, c in self.comparisons.items() if c.factor.overall <= 1.0]

    @property
    def slower(self) -> list[str]:
        """The board's entries that appear slower, nearest first."""
        return [name for name, c in self.comparisons.items() if c.factor.overall > 1.0]

    @property
    def neighbours(self) -> list[str]:
        """The neighbouring entries; only one at an end of the board."""
        return [*self.faster[-1:], *self.slower[:1]]

    def lines(self) -> Iterator[str]:
        """The place in words: the neighbours, settled pairs, and the studies that would settle the
        others.
        """
        on = ", ".join(self.workloads)
        yield f"{self.entry}, in {self.clock.name} on {on}: {self._describe_neighbours()}"
        yield from self._describe_misses()
        if all(comparison.studies < 2 for comparison in self.comparisons.values()):
            error = screening_error(len(self.workloads))
            yield f"  one study of each is compared, which settles nothing: {error}"
        for word, names in (("faster", self.slower), ("slower", self.faster)):
            settled_names = [name for name in names if self.comparisons[name].more_studies == 0]
            if settled_names:
                yield f"  settled to be {word} than {_listing(settled_names)}"
        for name in self.neighbours:
            if (text := self._what_would_settle(name)) is not None:
                yield f"  {name}: {text}"

    def _describe_neighbours(self) -> str:
        if not self.slower:
            return f"behind {self.faster[-1]}, the last of {len(self.comparisons)}"
        if not self.faster:
            return f"ahead of {self.slower[0]}, the first of {len(self.comparisons)}"
        return f"between {self.faster[-1]} and {self.slower[0]}"

    def _describe_misses(self) -> Iterator[str]:
        """How many targets it and its neighbours reached, unless all of them: misses enter a
        factor only as bounds, so an entry can reach more targets and yet stand behind.
        """
        reached = [(name, *_reached_counts(self.comparisons[name])) for name in self.neighbours]
        count = len(self.workloads)
        if all(own == theirs == count for _, own, theirs in reached):
            return
        counts = ", ".join(f"{name} {theirs}" for name, _, theirs in reached)
        yield f"  it reached {reached[0][1]} of {count} targets, {counts}"
        hidden = [name for name in self.neighbours if _is_hidden(self.comparisons[name].factor)]
        if hidden:
            yield (
                f"  the place beside {' and '.join(hidden)} is a guess: misses count as bounds, "
                "which do not tell which is faster"
            )

    def _what_would_settle(self, name: str) -> str | None:
        """The studies that would settle a comparison, in words; None if it is settled.

        For studies that the board has, only this entry needs to run; for further ones, both.
        """
        comparison = self.comparisons[name]
        more = comparison.more_studies
        if more == 0:
            return None
        if comparison.overall is None and (
            comparison.factor.mark or comparison.factor.undecided_workloads
        ):
            return "what did not reach the target hides how much; more studies may reach it"
        if more is None:
            return "more studies would hardly settle it"
        about = f"about {more} more {'study' if more == 1 else 'studies'}"
        in_all = comparison.studies + more
        if in_all <= self.studies[name]:
            command = f"{self.again}{self.out} --studies {in_all}"
            return f"{about}, which the board has, would settle it: {command}"
        where = "" if self.clock.name == "seconds" else ", in seconds"
        command = f"{self.again}{self.out} --until-settled {name}"
        return f"{about} of both would settle it; this adds them{where}: {command}"


def places(
    board: pd.DataFrame, own: pd.DataFrame, clock: str = "steps", store: Path | None = None
) -> tuple[Place, ...]:
    """The places of a run's entries that are not on the board.

    Args:
        board: prepared trials of the board.
        own: prepared trials of the run.
        clock: a name in `scoring.clock.CLOCKS`.
        store: the run's folder, for the commands that add to it; None for the default one.

    Raises:
        HarnessError: instances or efforts differ or, for seconds, machines differ.
    """
    is_new = ~own["content_hash"].isin(board["content_hash"]) & own["state"].ne("unfinished")
    new, finished_frame = own[is_new], finished_trials(board)
    if new.empty:
        return ()
    common = finished_frame[finished_frame["column"].isin(new["column"])]
    _refuse_others(common, new, clock)
    _refuse_unequal_effort(common, own[~own["content_hash"].isin(board["content_hash"])])
    board_entries = set(common["entry"])
    entries = new.assign(
        entry=[f"{e} (this run)" if e in board_entries else e for e in new["entry"]]
    )
    return tuple(
        _place(str(entry), trials, common, CLOCKS[clock], store)
        for entry, trials in entries.groupby("entry")
    )


def _place(
    entry: str, trials: pd.DataFrame, board: pd.DataFrame, clock: Clock, store: Path | None
) -> Place:
    """The place of an entry among the board's entries that ran all shared workloads."""
    columns = set(trials["column"]) & set(board["column"])
    comparable_trials = {
        str(name): theirs
        for name, theirs in board.groupby("entry")
        if columns <= set(theirs["column"])
    }
    if not comparable_trials:
        raise HarnessError(
            f"no entry of the board ran on all of {_listing(sorted(columns))}",
            "place a run of fewer workloads: harness run --workload NAME --out DIR",
        )
    pairs = {
        name: _comparison(entry, name, pd.concat([trials, theirs]), clock)
        for name, theirs in comparable_trials.items()
    }
    ranking = sorted(pairs.items(), key=lambda item: (item[1].factor.overall, item[0]))
    studies = {
        name: int(theirs[theirs["column"].isin(columns)].groupby("column")["study"].nunique().min())
        for name, theirs in comparable_trials.items()
    }
    is_default = store is None or store == Path("runs") / str(trials["suite"].iloc[0])
    out = "" if is_default else f" --out {shlex.quote(str(store))}"
    return Place(entry, _again(trials), out, clock, dict(ranking), studies)


def _reached_counts(comparison: Comparison) -> tuple[int, int]:
    """On how many of the workloads this entry and the other one have a time."""
    own, theirs = np.isfinite(comparison.medians).sum(axis=1)
    return int(own), int(theirs)


def _is_hidden(factor: Factor) -> bool:
    """Whether the bounds in a factor leave open on which side of 1 it lies."""
    may_be_more = factor.mark in (">=", "~") or factor.undecided_workloads > 0
    may_be_less = factor.mark in ("<=", "~") or factor.undecided_workloads > 0
    return may_be_more if factor.overall <= 1.0 else may_be_less


def _again(trials: pd.DataFrame) -> str:
    """The command that runs an entry on the same workloads; the number of studies is open."""
    first = trials.iloc[0]
    workload_names = sorted(set(trials["workload"]))
    is_whole = set(str(first["suite_workloads"]).split(", ")) <= set(workload_names)
    workloads = "" if is_whole else "".join(f" --workload {name}" for name in workload_names)
    name, location = str(first["submission"]), str(first["location"])
    is_shipped = ":" not in location and not Path(location).is_absolute()
    submission = shlex.quote(name if is_shipped else location)
    return f"harness run --suite {first['suite']} --submission {submission}{workloads}"


def _comparison(a: str, b: str, trials: pd.DataFrame, clock: Clock) -> Comparison:
    """The times of two entries on the workloads and studies that both have, thus on the same
    instances.
    """
    of_both = trials.groupby("column")["entry"].transform("nunique") == 2
    trials = trials[of_both]
    studies = [set(part["study"]) for _, part in trials.groupby(["entry", "column"])]
    pair_trials = trials[trials["study"].isin(set.intersection(*studies))].reset_index(drop=True)
    rules = load_rules().model_copy(update={"held_out": held_out_of(pair_trials)})
    return compare_entries(times_of(pair_trials, clock), a, b, rules, draws=DRAWS)


def _refuse_others(board: pd.DataFrame, own: pd.DataFrame, clock: str) -> None:
    """Check that a run's trials differ from the board's only in the submission."""
    if board.empty:
        raise HarnessError(
            f"the board has none of {', '.join(sorted(set(own['column'])))}",
            "run a workload that it has: harness baselines --help",
        )
    for name in (*SAME, *(["hardware"] if clock == "seconds" else [])):
        ours, theirs = set(own[name].astype(str)), set(board[name].astype(str))
        if ours != theirs:
            raise HarnessError(
                f"{name} is {_listing(sorted(ours))} here, {_listing(sorted(theirs))} on the board",
                "in steps, runs of any machine can be placed: --clock steps"
                if name == "hardware"
                else "run it as the board was run",
            )
    keys = ["column", "workload_hash"]
    versions = pd.concat([board[keys], own[keys]]).drop_duplicates().groupby("column").size()
    if (versions > 1).any():
        changed_names = _listing([str(name) for name in versions[versions > 1].index])
        raise HarnessError(
            f"the board was made with another version of {changed_names}",
            "place it on a board of this version: harness baselines STORE --board BOARD",
        )


def _refuse_unequal_effort(board: pd.DataFrame, own: pd.DataFrame) -> None:
    """Check that a run's trials are as many in a study as the board's, scored, and ended.

    Of the rules that a score enforces only these change a time in steps on any machine.
    """
    on_board = {breach.rule for breach in frame_breaches(board)}
    shared = own[own["column"].isin(board["column"])]
    breaches = frame_breaches(pd.concat([board, shared], ignore_index=True))
    lines = [
        f"rule '{breach.rule}' ({RULES[breach.rule]}): {breach.detail}"
        for breach in breaches
        if breach.rule in EFFORT_RULES - on_board
    ]
    if lines:
        raise ManyReasonsError(
            lines,
            "place a whole run under the board's own rules, from a folder of its own: --out DIR",
        )


def _listing(names: list[str]) -> str:
    text = ", ".join(names[:SHOWN_COUNT])
    return text if len(names) <= SHOWN_COUNT else f"{text} and {len(names) - SHOWN_COUNT} more"
