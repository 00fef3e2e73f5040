"""Read and check the trials of a folder of records; a large one with several processes.

Each process, this one included, reads an equal share of the trials, in the order of their paths.
The others are new interpreters: a fork would inherit this process's locks, and `multiprocessing`
would import the user's script again.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Generic

from harness.analysis.gatherer import G, Gatherer
from harness.core.errors import HarnessError
from harness.machine.cores import allowed_cores
from harness.providers import registry
from harness.record.store import read_log, read_trial_file, record_paths
from harness.record.tables import ResultRows
from harness.verification.store import CheckedTrials, StoreCheck

TRIALS_EACH = 2000
"""Trials per process: starting a process takes as long as reading this many trials."""
MOST_PROCESSES = 8
"""The maximum number of processes, each of which holds the ledger in memory."""


@dataclass(frozen=True)
class Share(Generic[G]):
    """The share of trials that one process reads."""

    store: Path
    paths: Sequence[Path]
    """The `trial.json` of each trial."""
    make_gatherer: Callable[[], G]
    """Makes the gatherer of everything beside results; both are pickled."""
    suites: tuple[Path, ...]
    """Registered suite files beside the shipped ones."""


@dataclass
class Rows(Generic[G]):
    """The data of a share of trials, and its mismatches."""

    gatherer: G
    results: ResultRows = field(default_factory=ResultRows)
    checks: CheckedTrials = field(default_factory=CheckedTrials)


def read_shares(store: Path, make_gatherer: Callable[[], G]) -> tuple[Rows[G], StoreCheck]:
    """Read and check all trials of a folder.

    Args:
        store: the folder of the records.
        make_gatherer: makes the gatherer of everything beside results.

    Raises:
        HarnessError: a trial cannot be read.
    """
    paths, suites = record_paths(store), registry.suite_files()
    count = max(1, min(len(allowed_cores()), MOST_PROCESSES, len(paths) // TRIALS_EACH))
    ends = [len(paths) * place // count for place in range(count + 1)]
    own, *others = (
        Share(store, paths[start:end], make_gatherer, suites) for start, end in pairwise(ends)
    )
    with ExitStack() as stack:
        waiting = [stack.enter_context(_read_elsewhere(share)) for share in others]
        check = StoreCheck(store, replays=False)
        rows = _read_share(own, check)
        for rows_of_share in waiting:
            part = rows_of_share()
            rows.results.extend(part.results)
            rows.gatherer.extend(part.gatherer)
            check.results.add(part.checks)
    return rows, check


def _read_share(share: Share[G], check: StoreCheck) -> Rows[G]:
    rows = Rows(share.make_gatherer(), checks=check.results)
    for path in share.paths:
        file, log = read_trial_file(path), read_log(path.parent)
        check.record(path, (file, log))
        rows.results.add(path.parent, file.record, log.last)
        rows.gatherer.add(file.record, log.last)
    return rows


@contextmanager
def _read_elsewhere(share: Share[G]) -> Iterator[Callable[[], Rows[G]]]:
    """Start another process that reads a share; yields a function that waits for its rows."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", f"from {__name__} import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdin is not None
        try:
            with suppress(BrokenPipeError), process.stdin:
                pickle.dump(share, process.stdin)
            yield partial(_rows_of, process, share)
        finally:
            process.kill()


def _rows_of(process: subprocess.Popen[bytes], share: Share[G]) -> Rows[G]:
    """The rows of a process's share.

    Raises:
        HarnessError: a trial of the share cannot be read, or the process died.
    """
    assert process.stdout is not None
    try:
        answer: Rows[G] | tuple[str, str] = pickle.load(process.stdout)
    except (EOFError, pickle.UnpicklingError) as error:
        raise HarnessError(
            f"a process that read {len(share.paths)} trials of {share.store} died with exit code "
            f"{process.wait()}",
            "it may have run out of memory: free some and run the same command again",
        ) from error
    if isinstance(answer, tuple):
        raise HarnessError(*answer)
    return answer


def main() -> None:
    """Read a pickled share from stdin, and write its rows to stdout, or the (message, hint) of a
    user error.
    """
    share: Share[Gatherer] = pickle.load(sys.stdin.buffer)
    answer: Rows[Gatherer] | tuple[str, str]
    try:
        for file in share.suites:
            registry.add_suite(file)
        answer = _read_share(share, StoreCheck(share.store, replays=False))
    except HarnessError as error:
        answer = (error.message, error.hint)
    pickle.dump(answer, sys.stdout.buffer)
