r"""One submission under two names, by real runs: how often are the two called different?

    python benchmarks/validity_runs.py --store runs/equal --studies 3 --trials 1 --default-point \
        --time-limit 570 --write docs/SCORING.md

A pair is a submission and a copy of it, with a round seed of its own: both train at the default
point, or else search the same points, on the same instances, study by study, alternating which of
the two goes first. So only the machine can make a difference. The pairs take the given submissions
in turn. Nothing starts that might not end within the limit; the same command continues. Each time
it ends, it writes the finished pairs to `benchmarks/records/equal_runs.json`, and the table between
the page's two marks; `--time-limit 0` only writes the page. Leave the machine otherwise idle.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from limited_runs import LimitedRuns, this_machine
from validity_page import add_flags, show
from validity_real import RECORDS, EqualRuns, RealPair, lines, read_pair

from harness.plan.plan import PlanRequest
from harness.providers.registry import submission_folders
from harness.runs.until_settled import Pair
from harness.submission.resolution import resolve

SUBMISSIONS = ("sgd", "adamw", "nesterov")
"""Submissions that reach the target of `mlp` at their default points, too, which `muon` seldom
does.
"""


@dataclass(frozen=True)
class Design:
    """The design of the pairs."""

    suite: str = "quick"
    workload: str = "mlp"
    submissions: Sequence[str] = SUBMISSIONS
    pairs: int = 10
    studies: int = 2
    """Studies of each name; a verdict needs at least 2."""
    trials: int = 3
    """Trials of each study."""
    is_default_point: bool = False
    """Whether every trial is at the submission's default point, which reaches the target."""

    def request(self, submission: Path, round_seed: str) -> PlanRequest:
        """The request for one name of a pair."""
        settings = resolve(str(submission)).space.default if self.is_default_point else {}
        return PlanRequest(
            self.workload, str(submission), self.suite, round_seed=round_seed,
            studies=self.studies, trials=self.trials, settings=settings,
        )  # fmt: skip

    def rounds(self) -> Iterator[tuple[str, str]]:
        """The submission and the round seed of each pair."""
        for number in range(self.pairs):
            yield self.submissions[number % len(self.submissions)], f"equal {number + 1}"


def names_of(submission: str, folder: Path) -> tuple[Path, Path]:
    """Two copies of a shipped submission, whose folders give them their names."""
    first, second = (folder / f"{submission}_{name}" for name in ("first", "second"))
    for copy in (first, second):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(submission_folders()[submission], copy, dirs_exist_ok=True, ignore=ignore)
    return first, second


def run_pairs(design: Design, folder: Path, time_limit_s: float) -> Iterator[RealPair]:
    """Run the missing trials of the pairs, and read the finished pairs.

    Args:
        design: the design of the pairs.
        folder: gets the copies, in `names`, and the records, in `records`.
        time_limit_s: when all must have ended.
    """
    runs = LimitedRuns(folder / "records", time.monotonic() + time_limit_s)
    for submission, round_seed in design.rounds():
        copies = names_of(submission, folder / "names")
        mine, theirs = (runs.plan(design.request(copy, round_seed)) for copy in copies)
        pair = Pair((mine,), (theirs,))
        parts = (plan for number in range(1, pair.most + 1) for plan in pair.study(number))
        if all(runs.run_in_time(plan) for plan in parts):
            yield read_pair(pair, runs.store, submission, round_seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Design()
    add_flags(parser, Path("runs/equal"), RECORDS)
    parser.add_argument("--suite", default=default.suite)
    parser.add_argument("--workload", default=default.workload)
    parser.add_argument("--submissions", nargs="+", default=default.submissions)
    parser.add_argument("--pairs", type=int, default=default.pairs)
    parser.add_argument("--studies", type=int, default=default.studies)
    parser.add_argument("--trials", type=int, default=default.trials)
    parser.add_argument("--default-point", action="store_true", help="every trial is at it")
    arguments = parser.parse_args()
    design = Design(
        arguments.suite, arguments.workload, arguments.submissions, arguments.pairs,
        arguments.studies, arguments.trials, arguments.default_point,
    )  # fmt: skip
    if arguments.time_limit > 0:
        pairs = tuple(run_pairs(design, arguments.store, arguments.time_limit))
        print(f"{len(pairs)} of {design.pairs} pairs are whole")
        if pairs:
            machine = this_machine(pair.hardware for pair in pairs)
            runs = EqualRuns(
                suite=design.suite,
                workload=design.workload,
                is_default_point=design.is_default_point,
                machine=machine,
                pairs=pairs,
            )
            arguments.json.write_text(runs.model_dump_json(indent=1) + "\n", encoding="utf-8")
    runs = EqualRuns.model_validate_json(arguments.json.read_text(encoding="utf-8"))
    show(lines(runs), "equal runs", arguments.write)


if __name__ == "__main__":
    main()
