"""What the harness costs: a quick workload through referee and worker, and by a bare loop, in turn.

    python benchmarks/overhead.py [--workload mlp] [--rounds 3] [--budget-scale 1.0] [--threads 2]
                                   [--suite quick] [--device cpu]

Each round is one trial of `adamw` at its default point, to the end of its budget, in a new worker
process. Whenever one of its snapshots is recorded, while the clock stands and the worker is frozen,
`bare_loop.py` makes as many steps on the same examples as the trial has made since the last one: a
machine whose speed varies thus affects both alike. It prints the seconds of the bare steps over
those of the trial (1: the harness costs nothing), the time from a trial's call to its first timed
step, and the fraction of a trial's wall time, without the bare loop's, that lies between its first
timed step and its end but not on the clock: evaluation, snapshots, records. As in `harness run`,
all data are made before the first trial.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bare_loop import Training

from harness.execution.base import RunOptions
from harness.execution.resolved import prepare_data
from harness.execution.trial import run_trial
from harness.plan.plan import PlanRequest, trial_of
from harness.plan.trial import Trial
from harness.providers import registry
from harness.record.schema import SnapshotTaken, ToldEvent
from harness.submission.resolution import resolve

GOALS = {"ratio": 0.97, "start_s": 1.0, "off_clock_fraction": 0.10}


@dataclass(frozen=True)
class Round:
    """The measurements of one round, over all intervals between snapshots."""

    steps: int
    timed_s: float
    bare_s: float
    start_s: float
    off_clock_fraction: float

    @property
    def ratio(self) -> float:
        """The harness's steps per second over the bare loop's."""
        return self.bare_s / self.timed_s


class BareLoop:
    """`bare_loop.py` in a process of its own, which makes steps on request."""

    def __init__(self, training: Training) -> None:
        command = [sys.executable, str(Path(__file__).with_name("bare_loop.py"))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self._answer(json.dumps(asdict(training)))

    def seconds(self, steps: int) -> float:
        """Make this many steps now; returns how long they took."""
        return float(self._answer(str(steps)))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self, line: str) -> str:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        if not (answer := process.stdout.readline()):
            sys.exit("the bare loop failed; its error stands above")
        return answer


class Interleaved:
    """An observer that lets the bare loop make the same steps after each snapshot."""

    def __init__(self, bare: BareLoop) -> None:
        self._bare, self._step = bare, 0
        self.bare_s = self.asked_s = 0.0
        self.heard_s: dict[str, float] = {}

    def event(self, event: ToldEvent) -> None:
        """Note the time of an event; after a snapshot, run the bare loop."""
        start_s = time.monotonic()
        self.heard_s.setdefault(event.kind, start_s)
        if isinstance(event, SnapshotTaken):
            self.bare_s += self._bare.seconds(event.step - self._step)
            self._step = event.step
            self.asked_s += time.monotonic() - start_s


def plan_trial(request: PlanRequest, number: int) -> Trial:
    """The trial of a round: an instance of its own, adamw's default point, the whole budget."""
    submission = resolve(request.submission)
    size = registry.workload(request.workload).at(request.suite)
    point = dict(submission.space.default)
    trial = trial_of(request, size, submission, point, (1, number))
    return trial.model_copy(update={"stop_rule": "budget"})


def training_of(trial: Trial, options: RunOptions) -> Training:
    """The same training for the bare loop."""
    size, point = registry.workload(trial.workload).at(trial.suite), trial.point
    return Training(
        package=registry.workload(trial.workload).package,
        folder=str(prepare_data(trial, options) / "train"),
        sizes=size.sizes,
        batch_size=size.batch_size,
        horizon_steps=size.budget.horizon_steps,
        warmup_fraction=float(point["warmup"]),
        learning_rate=float(point["learning_rate"]),
        weight_decay=float(point["weight_decay"]),
        betas=(float(point["beta1"]), float(point["beta2"])),
        eps=float(point["epsilon"]),
        threads=options.threads,
        device=trial.device,
        precision=size.precision,
        is_compiled=size.compile and trial.device != "cpu",
    )


def one_round(trial: Trial, store: Path, options: RunOptions) -> Round:
    """One trial through the harness and, interval by interval, the bare loop; prints the result."""
    bare = BareLoop(training_of(trial, options))
    watch = Interleaved(bare)
    called_s = time.monotonic()
    result = run_trial(trial, store, options, watch)
    wall_s = time.monotonic() - called_s - watch.asked_s
    bare.close()
    if result.state not in {"budget", "reached"}:
        sys.exit(f"the trial ended as {result.state}: {result.reason}")
    go_s, end_s = watch.heard_s["go"], watch.heard_s["end"]
    off_clock_s = end_s - go_s - watch.asked_s - result.timed_s
    start_s, fraction = go_s - called_s, off_clock_s / wall_s
    round_ = Round(result.steps, result.timed_s, watch.bare_s, start_s, fraction)
    show(trial.trial, round_)
    return round_


def spread(values: Sequence[float]) -> str:
    """Median and range as text."""
    return f"median {statistics.median(values):.3f}, {min(values):.3f} to {max(values):.3f}"


def main() -> None:
    """Run the rounds and print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", default="mlp", choices=registry.workload_names())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget-scale", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--suite", default="quick")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error(f"--rounds {arguments.rounds} must be at least 2: the first warms up")
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(
            cache_dir=Path(folder) / "data",
            threads=arguments.threads,
            data_dir=arguments.data_dir,
        )
        request = PlanRequest(
            workload=arguments.workload,
            submission="adamw",
            suite=arguments.suite,
            device=arguments.device,
            budget_scale=arguments.budget_scale,
        )
        numbers = range(1, arguments.rounds + 1)
        trials = [plan_trial(request, number) for number in numbers]
        for trial in trials:
            prepare_data(trial, options)
        rounds = [one_round(trial, Path(folder), options) for trial in trials]
    summarise(rounds)


def summarise(rounds: Sequence[Round]) -> None:
    """Print median and range of the measurements, next to the goals."""
    later = rounds[1:]
    print(f"steps per timed second, harness / bare: {spread([r.ratio for r in rounds])}")
    print(f"    (goal: at least {GOALS['ratio']})")
    print(f"start of a trial after the first, s:    {spread([r.start_s for r in later])}")
    print(f"    (goal: at most {GOALS['start_s']})")
    print(f"off the clock, of wall time:      {spread([r.off_clock_fraction for r in rounds])}")
    print(f"    (goal: under {GOALS['off_clock_fraction']})")


def show(number: int, round_: Round) -> None:
    """Print one round."""
    print(
        f"round {number}: {round_.steps} steps in {round_.timed_s:.2f} s, bare in "
        f"{round_.bare_s:.2f} s, ratio {round_.ratio:.3f}; "
        f"start {round_.start_s:.2f} s; off the clock {round_.off_clock_fraction:.1%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
