"""What a hundred thousand trials cost besides their training, on a simulated cluster.

    python benchmarks/scale.py --trials 100000 --store /dev/shm/scale

The executor `ray` is the real one; the cluster is simulated. Its clock jumps from one end of a
trial to the next; one trial in fifty loses its node and runs again, one in a hundred takes ten
times as long, one in a hundred crashes. The records are real records of such trials, but with a
look at only six points. For each stage a line shows how long it took, the time per trial, processes
that it started included, and the peak memory of one process so far. A time per trial that grows
with --trials is superlinear.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

# ruff: noqa: E402
# `scoring.py` beside this file would be imported in the place of the package of that name.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).parent]

from harness.core.errors import HarnessError
from harness.display.endings import EndingsDisplay
from harness.execution.base import Resources, RunOptions
from harness.execution.ray.engine import NodeLostError
from harness.execution.ray.executor import RayExecutor
from harness.execution.ray.nodes import Node, Survey, survey
from harness.execution.ray.shipping import Shipment
from harness.execution.remote import Outcome
from harness.machine.hardware import environment, hardware
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Result, Trial, TrialRecord
from harness.providers.registry import submission_folders
from harness.record.chain import RawLine
from harness.record.plan import unfinished_trials, write_plan
from harness.record.schema import Begin, Claims, End, Evaluation, EventData, SnapshotTaken
from harness.record.schema.ledger import AttemptBegun, AttemptEnded
from harness.record.store import EVENTS_FILE, TRIAL_FILE, record_text

T = TypeVar("T")
ENTRIES, PER_STUDY, NODES = 20, 3, 64
LOST, CRASHED, STRAGGLES, SLOWER = 0.02, 0.01, 0.01, 10.0
LOOKS = 6


class SimulatedEngine:
    """A cluster whose tasks end at random times of a simulated clock; nothing ever waits."""

    def __init__(self, seed: int) -> None:
        self.now_s, self._random = 0.0, random.Random(seed)
        self._numbers = itertools.count()
        self._running: list[tuple[float, int]] = []
        self._outcomes: dict[int, Callable[[], Survey | Shipment]] = {}
        self._nodes = [Node(f"{i:02}", 2.0, 0.0, frozenset()) for i in range(NODES)]

    def close(self) -> None:
        """Do nothing."""

    def nodes(self, need: Resources) -> list[Node]:
        """All nodes, always: a lost one comes back at once."""
        return [node for node in self._nodes if node.slots(need)]

    def start(
        self, node: Node, _: dict[str, float], function: Callable[..., object], *args: Any
    ) -> int:
        """Start a trial, or the survey of a node."""
        reference = next(self._numbers)
        if function is survey:
            fingerprint = hardware("cpu").fingerprint
            here = Survey(node.id, node.id, fingerprint, environment().harness_hash)
            self._outcomes[reference] = lambda: here
            return reference
        shipment: Shipment = args[0]
        slower = SLOWER if self._random.random() < STRAGGLES else 1.0
        budget_s = shipment.trial.budget.runtime_s
        end_s = self.now_s + slower * self._random.uniform(0.3, 1.0) * budget_s
        heapq.heappush(self._running, (end_s, reference))
        is_lost, has_crashed = self._random.random() < LOST, self._random.random() < CRASHED
        fraction = self._random.uniform(0.2, 0.9)
        self._outcomes[reference] = lambda: _end(shipment, fraction, has_crashed, is_lost)
        return reference

    def wait(self, *_: object) -> list[int]:
        """The task that ends next."""
        self.now_s, reference = heapq.heappop(self._running)
        return [reference]

    def outcome(self, reference: int) -> Survey | Shipment:
        """The result of a task."""
        outcome: Outcome[Survey | Shipment] = Outcome(self._outcomes.pop(reference)())
        return outcome.result()


class SimulatedExecutor(RayExecutor):
    """The executor `ray` on a simulated cluster."""

    def __enter__(self) -> Self:
        self._engine: Any = SimulatedEngine(seed=0)
        return self


def _end(shipment: Shipment, fraction: float, has_crashed: bool, is_lost: bool) -> Shipment:
    """The files of a trial on its node after its end."""
    if is_lost:
        raise NodeLostError("simulated")
    trial = shipment.trial
    attempts = sum(isinstance(entry, AttemptBegun) for entry in shipment.entries) + 1
    result = _result(trial, fraction, has_crashed)
    lines: list[RawLine] = []
    for event in _events(trial, attempts, result):
        lines.append(RawLine.after(lines[-1] if lines else None, event, "referee"))
    log = b"".join(line.content for line in lines)
    record = TrialRecord(identity=trial.identity, trial=trial, result=result)
    files = {EVENTS_FILE: log, TRIAL_FILE: record_text(record).encode()}
    entries = (
        AttemptBegun(identity=trial.identity, attempt=attempts),
        AttemptEnded(
            identity=trial.identity, attempt=attempts, state=result.state, events=lines[-1].hash
        ),
    )
    return Shipment(trial, files, (*shipment.entries, *entries))


def _result(trial: Trial, fraction: float, has_crashed: bool) -> Result:
    timed_s = fraction * trial.budget.runtime_s
    if has_crashed:
        return Result(state="crashed", reason="simulated", timed_s=timed_s, steps=100)
    return Result(
        state="reached",
        reason="simulated",
        time_to_target_s=timed_s,
        last_miss_s=0.98 * timed_s,
        last_miss_metric=trial.target.value,
        hit_s=timed_s,
        hit_metric=trial.target.value,
        steps_to_target=600,
        examples_to_target=600,
        timed_s=timed_s,
        steps=600,
        best_metric=trial.target.value,
    )


def _events(trial: Trial, attempt: int, result: Result) -> Iterator[EventData]:
    machine = hardware(trial.device)
    yield Begin(
        identity=trial.identity,
        attempt=attempt,
        submission_files=trial.submission.content_hash,
        hardware=machine,
        fingerprint=machine.fingerprint,
        environment=environment(),
        threads=2,
        sandbox="plain",
        unenforced=(),
        load_average=0.0,
    )
    claims = Claims(
        examples=1, train_loss=1.0, learning_rate=None, forwards=1, backwards=1, snapshots_s=0.0
    )
    for look in range(1, LOOKS + 1):
        at_s, step = result.timed_s * look / LOOKS, 100 * look
        fraction = at_s / trial.budget.runtime_s
        yield SnapshotTaken(
            grid=look, step=step, timed_s=at_s, fraction=fraction, is_look=True, claims=claims
        )
        metrics: dict[str, float | None] = {trial.target.metric: trial.target.value}
        yield Evaluation(grid=look, step=step, timed_s=at_s, examples=step, validation=metrics)
    yield End(result=result, clock={"timed_s": result.timed_s})


def plan_trials(trials: int) -> tuple[Trial, ...]:
    """About this many trials: twenty entries on `mlp`, with equally many studies of three each."""
    all_trials: list[Trial] = []
    names = iter(submission_folders())
    entries = min(ENTRIES, max(1, trials // PER_STUDY))
    studies = trials // (entries * PER_STUDY)
    while entries:
        request = PlanRequest("mlp", next(names), studies=studies, trials=PER_STUDY)
        try:
            all_trials += plan(request).trials
        except HarnessError:  # not of torch, or refused on this workload
            continue
        entries -= 1
    return tuple(all_trials)


def measure(stage: str, trials: int, work: Callable[[], T]) -> T:
    """Run a stage, and print what it took."""
    start = time.perf_counter(), sum(os.times()[:4])
    value = work()
    wall_s, cpu_s = time.perf_counter() - start[0], sum(os.times()[:4]) - start[1]
    uses = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    peak_mib = max(use.ru_maxrss for use in uses) / 1024
    print(
        f"{stage:<28}{wall_s:9.1f} s {cpu_s:9.1f} s of the processor "
        f"{1e3 * cpu_s / trials:8.3f} ms a trial {peak_mib:8.0f} MiB",
        flush=True,
    )
    return value


def main() -> None:
    """Plan, run, resume, list, score and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--store", type=Path, required=True, help="a folder that is not there yet")
    arguments = parser.parse_args()
    store: Path = arguments.store
    trials = measure("plan", arguments.trials, lambda: plan_trials(arguments.trials))
    count = len(trials)
    measure("write the plan down", count, lambda: write_plan(trials, store))
    silent = EndingsDisplay(lambda _: None)
    with SimulatedExecutor(store, silent) as executor:
        measure("schedule and collect", count, lambda: executor.run(trials, RunOptions()))
    measure("resume: what is missing", count, lambda: unfinished_trials(trials, store))
    measure("resume: plan again", count, lambda: write_plan(trials, store))
    _read(store, count)


def _read(store: Path, count: int) -> None:
    from harness.analysis.scored import Source, load_board
    from harness.cli.report import write_report
    from harness.cli.site import site
    from harness.record.tables import results_frame
    from scoring.uncertainty import assess

    source, pages = Source(out=store), store.with_name(f"{store.name}-site")
    measure("list: the frame of results", count, lambda: results_frame(store))
    board, _ = measure("score", count, lambda: load_board(source))
    measure("score: intervals and ranks", count, lambda: assess(board, "adamw"))
    measure("report", count, lambda: write_report(source, "adamw", store / "report.html"))
    measure("site", count, lambda: site([store], out=pages))


if __name__ == "__main__":
    main()
