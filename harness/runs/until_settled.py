"""Run studies of two submissions until it is settled which one is faster."""

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
"""The default maximum number of studies per submission."""
FIRST_LOOK = 2
"""Studies per submission before the first look: a single one gives no noise estimate."""


@dataclass(frozen=True)
class Look:
    """The result of the studies so far."""

    test: SequentialTest
    flags: tuple[str, ...]
    """The flags that a scoreboard of these trials would have."""


@dataclass(frozen=True)
class Pair:
    """Two submissions on the same workloads and instances; all studies are planned."""

    mine: tuple[Plan, ...]
    theirs: tuple[Plan, ...]

    def __post_init__(self) -> None:
        if self.names[0] == self.names[1]:
            raise HarnessError(
                f"both submissions are called '{self.names[0]}', so they share an entry",
                "copy one of them to a folder of another name",
            )
        variant = self.mine[0].trials[0].variant
        if variant != "base":
            raise HarnessError(
                f"--until-settled cannot be combined with --variant {variant}, which counts only "
                "with its base",
                "leave out --variant",
            )

    @property
    def names(self) -> tuple[str, str]:
        """The names of the two submissions."""
        mine, theirs = (plans[0].trials[0].submission.name for plans in (self.mine, self.theirs))
        return mine, theirs

    @property
    def most(self) -> int:
        """The number of the last planned study."""
        return max(trial.study for trial in self.mine[0].trials)

    def study(self, number: int) -> Iterator[Plan]:
        """The plans of one study: both submissions on each workload, alternating which goes first.

        A machine whose speed drifts from trial to trial thus favours neither.
        """
        for pair in zip(self.mine, self.theirs, strict=True):
            for plan in pair if number % 2 else reversed(pair):
                trials = tuple(trial for trial in plan.trials if trial.study == number)
                yield replace(plan, trials=trials)

    def look(self, store: Path, last: int) -> Look:
        """The result of the studies up to `last`, regardless of other trials in the store.

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
            hint = "run both with the same settings, into a folder of their own: --out DIR"
            raise HarnessError(error.message, hint) from error
        test = compare_sequentially(board.times, *self.names, board.rules)
        return Look(test, board.flags)


def run_until_settled(pair: Pair, store: Path, run: Callable[[Plan], None]) -> Iterator[Look]:
    """Run one study of both after another, and test the difference after each.

    Args:
        pair: the two submissions, planned up to the maximum number of studies.
        store: folder of the records; trials finished there are not run again.
        run: runs the trials of a plan.

    Yields:
        The result after each study from the second on; the last one is settled, or that of the last
        study.

    Raises:
        HarnessError: the two cannot share a scoreboard; raised after the first study.
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
    """The other submission's location: its name, or the location recorded by trials in a store.

    Raises:
        UnknownNameError: neither a submission nor a trial in the store has this name.
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
    """The maximum number of studies per submission.

    Raises:
        HarnessError: the requested number is too low for a single look.
    """
    if studies is not None and studies < FIRST_LOOK:
        raise HarnessError(
            f"--studies {studies} is too few: one study says nothing about the noise",
            f"give at least --studies {FIRST_LOOK}, or leave it out for at most {MOST}",
        )
    return MOST if studies is None else studies
