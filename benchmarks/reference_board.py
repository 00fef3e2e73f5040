"""The reference board: one study of every submission on `quick`, and three of the main ones.

    python benchmarks/reference_board.py --store runs/board --time-limit 28800

Running it again continues where it stopped; finished trials are kept. It starts nothing that might
not end within the limit. A trial that is flagged for interference is run again once, which its
record shows. Each time it ends it writes the board that ships (`harness/analysis/boards`), from the
studies that are complete on every workload, and a bundle of all records next to the store, from
which it can be continued elsewhere (`tar -xzf board.tar.gz -C runs store && mv runs/store
runs/board`). Leave the machine otherwise idle.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from limited_runs import LimitedRuns

from harness.analysis.reference_board import board_name, whole_studies, write_board
from harness.cli.bundles import write_bundle
from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest
from harness.plan.trial import TrialRecord
from harness.providers.registry import submission_folders, suite
from harness.record.store import last_attempt
from harness.record.tables import results_frame
from harness.runs.run import rehearse_plan
from harness.verification.rerun import open_again

SUITE, FRAMEWORK = "quick", "torch"
STUDIED = (
    "adamw", "muon", "sgd", "soap", "shampoo", "prodigy", "normuon", "nadamw", "lion", "kfac",
    "psgd", "schedule_free_adamw", "splus", "nesterov",
)  # fmt: skip
"""The submissions with three studies, in the order in which they run: the most informative first.
"""
STUDIES = 3
BESIDE_S = 30.0
"""The maximum time of a trial besides its budget: start, warm-up, evaluation."""
BOARDS = Path(__file__).parents[1] / "harness" / "analysis" / "boards"


class Part(NamedTuple):
    """A part of the board, which starts only if it can end within the limit."""

    submission: str
    workload: str
    studies: int
    """The number of studies, counted from the first; finished ones are kept."""


def parts() -> Iterator[Part]:
    """All parts: first one study of everything, the main submissions first, then the further
    studies.
    """
    others = sorted(submission_folders().keys() - set(STUDIED))
    for count in range(1, STUDIES + 1):
        for name in [*STUDIED, *others] if count == 1 else STUDIED:
            for workload in suite(SUITE).workloads:
                yield Part(name, workload, count)


class Board:
    """Runs parts into one store.

    Args:
        runs: the store, and the limit.
    """

    def __init__(self, runs: LimitedRuns) -> None:
        self._runs = runs
        self.remaining: list[Part] = []
        self.refusals: list[str] = []

    def run(self, part: Part) -> None:
        """Run a part, or note that it was left out or refused."""
        name, workload, studies = part
        request = PlanRequest(workload, name, SUITE, FRAMEWORK, studies=studies)
        try:
            plan = self._runs.plan(request)
            if not self._runs.fits(plan):
                self.remaining.append(part)
                return
            rehearse_plan(plan, self._runs.store, self._runs.options)
        except HarnessError as error:
            self.refusals.append(f"{name} on {workload}: {error.message}")
            return
        records = self._runs.run(plan)
        if self._open_flagged(records) and self._runs.fits(plan):
            self._runs.run(plan)

    def _open_flagged(self, records: tuple[TrialRecord, ...]) -> bool:
        """Reopen trials that other load has affected, unless they were reopened before."""
        is_reopened = False
        for record in records:
            attempt = last_attempt(self._runs.store / record.trial.folder)
            why = record.result.interference if record.result else ()
            if why and attempt is not None and attempt.number == 1:
                open_again(self._runs.store, record, "; ".join(why))
                is_reopened = True
        return is_reopened


def main() -> None:
    """Run what is missing, within the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, default=Path("runs/board"))
    parser.add_argument("--time-limit", type=float, default=8 * 3600.0, help="seconds")
    arguments = parser.parse_args()
    runs = LimitedRuns(arguments.store, time.monotonic() + arguments.time_limit, BESIDE_S)
    board = Board(runs)
    for part in parts():
        board.run(part)
    for text in board.refusals:
        print(f"refused: {text}")
    if board.remaining:
        print(f"{len(board.remaining)} parts are left; the same command goes on")
    finish(arguments.store, BOARDS)


def finish(store: Path, folder: Path) -> None:
    """Write the board that ships, and a bundle of all records next to the store."""
    path = folder / board_name(SUITE, FRAMEWORK)
    frame = whole_studies(results_frame(store), suite(SUITE).workloads)
    if frame.empty:
        print("no submission has ended a study on every workload yet")
    else:
        write_board(frame, path)
        print(f"board: {path}")
    bundle = store.with_name(f"{store.name}.tar.gz")
    write_bundle(store, bundle, version("guided-descent"))
    print(f"bundle: {bundle}\nshow it: harness site {store} --out docs/board")


if __name__ == "__main__":
    main()
