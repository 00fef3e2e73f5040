"""How closely trials are observed, and what that costs: the goals of `harness.referee.looks`.

    python benchmarks/observation.py --store DIR
    python benchmarks/observation.py [--workload mlp] [--submissions adamw muon] [--trials 1]
        [--budget-scale 1.0]

It prints, by workload, for the records of a store or for trials run here (the suite `quick`, one
study of each submission, each to its target or the end of its budget):

    interval        (hit - last miss) / hit of the trials that reached: median and worst
    evaluation      seconds of evaluation over the attempt's wall time: median and worst
    snapshots       seconds spent on snapshots, as reported by the worker, over those on the clock
    a glance        the time of a glance on the clock, as reported by the worker, in milliseconds
    on past a hit   seconds trained after the hit over those up to it: median and worst
    evaluations     evaluations of a trial on the validation split: median and most
    whole splits    the same in whole validation splits, as a part may be enough

Times on a busy machine are longer, above all those of evaluation and snapshots: compare only those
from an idle machine. A longer budget lets trials on a busy machine reach their targets.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from harness.execution.base import RunOptions
from harness.execution.resolved import prepare_data
from harness.execution.trial import run_trial
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import TrialRecord
from harness.providers import registry
from harness.record.attempts import Attempt
from harness.record.recorder import Silent
from harness.record.schema import Evaluation, SnapshotTaken
from harness.record.store import last_attempt, read_record, record_paths
from workloads.data.paths import default_cache_dir


@dataclass(frozen=True)
class Observation:
    """The values of one ended trial; None where it has none."""

    workload: str
    submission: str
    interval: float | None
    evaluation: float
    snapshots: float | None
    glance_ms: float | None
    beyond: float | None
    evaluations: int
    whole_splits: float


Column = tuple[str, str, Callable[[Observation], float | None], str]
COLUMNS: Sequence[Column] = (
    ("interval", "1.5 %, 2.5 %", lambda one: one.interval, "{:.2%}"),
    ("evaluation", "5 %", lambda one: one.evaluation, "{:.1%}"),
    ("snapshots", "1 %", lambda one: one.snapshots, "{:.2%}"),
    ("a glance, ms", "0.3 (mlp)", lambda one: one.glance_ms, "{:.3f}"),
    ("on past a hit", "10 %", lambda one: one.beyond, "{:.1%}"),
    ("evaluations", "", lambda one: float(one.evaluations), "{:.0f}"),
    ("whole splits", "", lambda one: one.whole_splits, "{:.1f}"),
)
"""Heading, goal, value of a trial, and format."""


def observation_of(record: TrialRecord, attempt: Attempt) -> Observation | None:
    """The values from a trial's record; None if it reached neither its target nor its last step."""
    result, end = record.result, attempt.end
    if result is None or end is None or end.clock is None:
        return None
    if result.state not in {"reached", "budget"}:
        return None
    snapshots, hit_s = attempt.all(SnapshotTaken), result.hit_s
    evaluations = attempt.all(Evaluation)
    parts = {one.grid: one.part.examples / one.part.of if one.part else 1.0 for one in evaluations}
    spent_s = snapshots[-1].claims.snapshots_s
    return Observation(
        workload=record.trial.workload,
        submission=record.trial.submission.name,
        interval=None if hit_s is None else (hit_s - (result.last_miss_s or 0.0)) / hit_s,
        evaluation=end.clock.get("evaluation_s", 0.0) / sum(end.clock.values()),
        snapshots=spent_s / result.timed_s,
        glance_ms=_glance_ms(snapshots),
        beyond=_beyond(record, snapshots),
        evaluations=len(evaluations),
        whole_splits=sum(parts.values()),
    )


def _glance_ms(snapshots: Sequence[SnapshotTaken]) -> float | None:
    """The median duration of glances, from the difference between the claims of successive
    snapshots.
    """
    taken_s = [
        later.claims.snapshots_s - earlier.claims.snapshots_s
        for earlier, later in pairwise(snapshots)
        if not later.is_look
    ]
    return 1e3 * statistics.median(taken_s) if taken_s else None


def _beyond(record: TrialRecord, snapshots: Sequence[SnapshotTaken]) -> float | None:
    """How much longer a trial has trained than to its hit, if it stops at the target."""
    result = record.result
    if result is None or result.hit_s is None or record.trial.stop_rule != "target":
        return None
    return snapshots[-1].timed_s / result.hit_s - 1.0


def of_store(store: Path) -> Iterator[Observation]:
    """The values of all ended trials of a store."""
    for path in record_paths(store):
        attempt = last_attempt(path.parent)
        one = observation_of(read_record(path), attempt) if attempt else None
        if one is not None:
            yield one


def run(workload: str, arguments: argparse.Namespace, store: Path) -> None:
    """Run one study of each submission."""
    options = RunOptions(cache_dir=default_cache_dir(), threads=arguments.threads)
    scale, trials = arguments.budget_scale, arguments.trials
    for submission in arguments.submissions:
        request = PlanRequest(workload, submission, trials=trials, budget_scale=scale)
        for trial in plan(request).trials:
            prepare_data(trial, options)
            result = run_trial(trial, store, options, Silent())
            print(f"{workload} {submission}: {result.state}: {result.reason}", file=sys.stderr)


def show(trials: Sequence[Observation]) -> None:
    """Print the table: the median and the worst of each workload."""
    print("| workload | trials | reached | " + " | ".join(head for head, *_ in COLUMNS) + " |")
    print("| --- " * (3 + len(COLUMNS)) + "|")
    print("| goal | | | " + " | ".join(goal for _, goal, *_ in COLUMNS) + " |")
    for workload in sorted({one.workload for one in trials}):
        own = [one for one in trials if one.workload == workload]
        hits = sum(one.interval is not None for one in own)
        cells = [_cell([of(one) for one in own], text) for _, _, of, text in COLUMNS]
        print(f"| `{workload}` | {len(own)} | {hits} | " + " | ".join(cells) + " |")


def _cell(values: Sequence[float | None], text: str) -> str:
    numbers = [value for value in values if value is not None]
    if not numbers:
        return "-"
    return f"{text.format(statistics.median(numbers))}, {text.format(max(numbers))}"


def main() -> None:
    """Print the table of a store, or of trials that are run for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, help="show these records, and run nothing")
    parser.add_argument("--workload", nargs="+", default=["mlp"], choices=registry.workload_names())
    parser.add_argument("--submissions", nargs="+", default=["adamw", "muon"])
    parser.add_argument("--trials", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--budget-scale", type=float, default=1.0)
    arguments = parser.parse_args()
    if arguments.store is not None:
        show(list(of_store(arguments.store)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for workload in arguments.workload:
            run(workload, arguments, Path(folder))
        show(list(of_store(Path(folder))))


if __name__ == "__main__":
    main()
