"""The place of a run's entries among those of a board that others made, possibly elsewhere.

Each pair is compared as `harness compare` does, on the workloads and in the studies that both have.
In steps machines do not matter; in seconds both must be of one machine, or converted to it
(`scoring.normalise`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from harness.core.errors import HarnessError
from scoring.clock import CLOCKS, Clock
from scoring.compare import Comparison, compare_entries
from scoring.frame import held_out_of
from scoring.rules import load_rules
from scoring.studies import times_of

SAME = ("suite", "ruleset", "framework", "round")
"""What a run and a board have in common, or their instances differ."""
DRAWS = 1000
SHOWN = 6
"""At most as many settled entries are named."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where an entry stands among those of a board."""

    entry: str
    clock: Clock
    comparisons: Mapping[str, Comparison]
    """With each entry of the board, the fastest first; factors above 1: this one is faster."""

    @property
    def workloads(self) -> tuple[str, ...]:
        """What the comparisons rest on."""
        return next(iter(self.comparisons.values())).workloads

    @property
    def faster(self) -> list[str]:
        """The board's entries that are ahead as far as is seen, the nearest last."""
        return [name for name, c in self.comparisons.items() if c.factor.overall <= 1.0]

    @property
    def slower(self) -> list[str]:
        """Those that are behind, the nearest first."""
        return [name for name, c in self.comparisons.items() if c.factor.overall > 1.0]

    def lines(self) -> Iterator[str]:
        """The place in words: the neighbours, what is settled, what would settle the rest."""
        on = ", ".join(self.workloads)
        yield f"{self.entry}, in {self.clock.unit} on {on}: {self._between()}"
        for word, names in (("faster", self.slower), ("slower", self.faster)):
            settled = [name for name in names if self.comparisons[name].more_studies == 0]
            if settled:
                yield f"  settled to be {word} than {_listed(settled)}"
        for name in (*self.faster[-1:], *self.slower[:1]):
            more = self.comparisons[name].more_studies
            if more is None:
                yield f"  {name}: more studies would hardly settle it"
            elif more:
                yield f"  {name}: about {more} more studies would settle it"

    def _between(self) -> str:
        if not self.slower:
            return f"behind {self.faster[-1]}, the last of {len(self.comparisons)}"
        if not self.faster:
            return f"ahead of {self.slower[0]}, the first of {len(self.comparisons)}"
        return f"between {self.faster[-1]} and {self.slower[0]}"


def places(board: pd.DataFrame, own: pd.DataFrame, clock: str = "steps") -> tuple[Place, ...]:
    """The places of a run's entries that the board does not have.

    Args:
        board: prepared trials of the board.
        own: prepared trials of the run.
        clock: a name in `scoring.clock.CLOCKS`.

    Raises:
        HarnessError: the two are not of the same instances, or, in seconds, not of one machine.
    """
    is_new = ~own["content_hash"].isin(board["content_hash"]) & own["state"].ne("unfinished")
    new, ended = own[is_new], board[board["state"] != "unfinished"]
    if new.empty:
        return ()
    shared = ended[ended["column"].isin(new["column"])]
    _refuse_others(shared, new, clock)
    taken = set(shared["entry"])
    named = new.assign(entry=[f"{e} (this run)" if e in taken else e for e in new["entry"]])
    return tuple(
        _place(str(entry), trials, shared, CLOCKS[clock])
        for entry, trials in named.groupby("entry")
    )


def _place(entry: str, trials: pd.DataFrame, board: pd.DataFrame, clock: Clock) -> Place:
    """An entry among those of the board that ran on all of its workloads that the board has."""
    columns = set(trials["column"]) & set(board["column"])
    pairs = {
        str(name): _comparison(entry, str(name), pd.concat([trials, theirs]), clock)
        for name, theirs in board.groupby("entry")
        if columns <= set(theirs["column"])
    }
    ordered = sorted(pairs.items(), key=lambda item: (item[1].factor.overall, item[0]))
    return Place(entry, clock, dict(ordered))


def _comparison(a: str, b: str, trials: pd.DataFrame, clock: Clock) -> Comparison:
    """Two entries on the workloads and in the studies that both have: the same instances."""
    of_both = trials.groupby("column")["entry"].transform("nunique") == 2
    trials = trials[of_both]
    studies = [set(part["study"]) for _, part in trials.groupby(["entry", "column"])]
    paired = trials[trials["study"].isin(set.intersection(*studies))].reset_index(drop=True)
    rules = load_rules().model_copy(update={"held_out": held_out_of(paired)})
    return compare_entries(times_of(paired, clock), a, b, rules, draws=DRAWS)


def _refuse_others(board: pd.DataFrame, own: pd.DataFrame, clock: str) -> None:
    """Refuse a run whose trials are not those of the board, but for the submission."""
    if board.empty:
        raise HarnessError(
            f"the board has none of {', '.join(sorted(set(own['column'])))}",
            "run a workload that it has: harness baselines --help",
        )
    for name in (*SAME, *(["hardware"] if clock == "seconds" else [])):
        ours, theirs = set(own[name].astype(str)), set(board[name].astype(str))
        if ours != theirs:
            raise HarnessError(
                f"{name} is {_listed(sorted(ours))} here, {_listed(sorted(theirs))} on the board",
                "in steps, runs of any machine can be placed: --clock steps"
                if name == "hardware"
                else "run it as the board was run",
            )
    keys = ["column", "workload_hash"]
    versions = pd.concat([board[keys], own[keys]]).drop_duplicates().groupby("column").size()
    if (versions > 1).any():
        changed = _listed([str(name) for name in versions[versions > 1].index])
        raise HarnessError(
            f"the board was made with another version of {changed}",
            "place it on a board of this version: harness baselines STORE --board BOARD",
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
