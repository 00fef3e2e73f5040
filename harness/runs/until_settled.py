"""Studies of two submissions, added in turn until it is settled which is faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.errors import HarnessError, UnknownNameError
from harness.plan.plan import Plan
from harness.record.store import read_record, record_paths
from harness.record.tables import results_frame
from harness.submission.resolution import resolve
from scoring.evaluate import score_results
from scoring.sequential import SequentialTest, compare_sequentially
from scoring.standing import HELD_RULE

MOST = 12
"""Studies of each at most, where the user says nothing."""
FIRST_LOOK = 2
"""Studies of each before the first look, as one gives no noise."""


@dataclass(frozen=True)
class Look:
    """What the studies up to some number say."""

    test: SequentialTest
    flags: tuple[str, ...]
    """What a scoreboard of these trials would be flagged with."""


@dataclass(frozen=True)
class Pair:
    """Two submissions on the same workloads and instances, planned up to the last study."""

    mine: tuple[Plan, ...]
    theirs: tuple[Plan, ...]

    def __post_init__(self) -> None:
        if self.names[0] == self.names[1]:
            raise HarnessError(
                f"both submissions are called '{self.names[0]}', which makes them one on a board",
                "copy one of them to a folder of another name",
            )
        variant = self.mine[0].trials[0].variant
        if variant != "base":
            raise HarnessError(
                f"--until-settled does not go with --variant {variant}, which counts only with "
                "its base",
                "leave out --variant",
            )

    @property
    def names(self) -> tuple[str, str]:
        """The names of the two."""
        mine, theirs = (plans[0].trials[0].submission.name for plans in (self.mine, self.theirs))
        return mine, theirs

    @property
    def most(self) -> int:
        """The last study that is planned."""
        return max(trial.study for trial in self.mine[0].trials)

    def study(self, number: int) -> Iterator[Plan]:
        """The plans of one study: on each workload both, the first of them in turn.

        So a machine that becomes slower or faster from trial to trial favours neither.
        """
        for pair in zip(self.mine, self.theirs, strict=True):
            for plan in pair if number % 2 else reversed(pair):
                trials = tuple(trial for trial in plan.trials if trial.study == number)
                yield replace(plan, trials=trials)

    def look(self, store: Path, last: int) -> Look:
        """What all studies up to the last say, whatever else the store holds.

        Raises:
            HarnessError: the trials break a rule of `scoring.refusals`.
        """
        trials = [t for plan in (*self.mine, *self.theirs) for t in plan.trials if t.study <= last]
        frame = results_frame(store)
        own = frame[frame["identity"].isin([trial.identity for trial in trials])]
        is_scored = all(trial.is_scored for trial in trials)
        try:
            board = score_results(
                own, allowed_rules=(HELD_RULE,) if is_scored else (HELD_RULE, "unscored-trials")
            )
        except HarnessError as error:
            hint = "run both alike, into a folder of their own: --out DIR"
            raise HarnessError(error.message, hint) from error
        test = compare_sequentially(board.times, *self.names, board.rules)
        return Look(test, board.flags)


def run_until_settled(pair: Pair, store: Path, run: Callable[[Plan], None]) -> Iterator[Look]:
    """Run study after study of both, and look after each.

    Args:
        pair: the two, planned up to the last study that may be run.
        store: folder of the records; what of the studies is there already is not run again.
        run: runs the trials of a plan.

    Yields:
        What each study from the second on leads to; the last is settled, or of the last study.

    Raises:
        HarnessError: after the first study already, if the two do not belong on one board.
    """
    for number in range(1, pair.most + 1):
        for plan in pair.study(number):
            run(plan)
        look = pair.look(store, number)
        if number >= FIRST_LOOK:
            yield look
        if look.test.is_settled:
            return


def find_rival(name: str, store: Path) -> str:
    """What to run as the other submission: it itself, or where its trials in a store say it lay.

    Raises:
        UnknownNameError: neither a submission nor trials in the store are called so.
    """
    try:
        resolve(name)
    except UnknownNameError:
        for path in record_paths(store):
            submission = read_record(path).trial.submission
            if submission.name == name:
                return submission.location
        raise
    return name


def most_studies(studies: int | None) -> int:
    """How many studies of each may be run.

    Raises:
        HarnessError: too few are asked for to look even once.
    """
    if studies is not None and studies < FIRST_LOOK:
        raise HarnessError(
            f"--studies {studies} leaves nothing to settle: one study says nothing of the noise",
            f"give at least --studies {FIRST_LOOK}, or leave it out for at most {MOST}",
        )
    return MOST if studies is None else studies
