"""What the harness costs: a quick workload's training bare and through referee and worker, in turn.

    python benchmarks/overhead.py [--workload mlp] [--rounds 5] [--budget-scale 1.0] [--threads 2]

Each round runs one trial of `adamw` at its default point (to the end of its budget, in a new worker
process) and then `bare_loop.py` on the same examples for as many steps. Printed are the steps a
timed second of both and their ratio, how long a trial takes from its call to its first timed step,
and the share of a trial's wall time that lies between its first timed step and its end but not on
the clock: evaluation, snapshots, records. As in `harness run`, all data are made before the first
trial. Other work on the machine spoils these figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bare_loop import Training

from harness import registry
from harness.body import RunOptions, prepare, run_trial
from harness.plan.plan import PlanRequest, trial_of
from harness.plan.submissions import resolve
from harness.trial import Result, Trial

GOALS = {"ratio": 0.97, "start_s": 1.0, "off_clock_share": 0.10}


@dataclass(frozen=True)
class Round:
    """What one round measured; rates are steps a timed second."""

    harness_rate: float
    bare_rate: float
    start_s: float
    off_clock_share: float

    @property
    def ratio(self) -> float:
        """The harness's rate over the bare loop's."""
        return self.harness_rate / self.bare_rate


class Stopwatch:
    """An observer that remembers when each kind of event was first heard."""

    def __init__(self) -> None:
        self.heard_s: dict[str, float] = {}

    def event(self, event: Mapping[str, Any]) -> None:
        """Note the time of an event."""
        self.heard_s.setdefault(event["kind"], time.monotonic())


def planned(workload: str, number: int, budget_scale: float) -> Trial:
    """The trial of a round: its own instance, adamw's default point, the whole budget."""
    request = PlanRequest(workload=workload, submission="adamw", budget_scale=budget_scale)
    submission = resolve(request.submission)
    size = registry.workload(request.workload).at(request.suite)
    point = dict(submission.space.default)
    trial = trial_of(request, size, submission, point, (1, number))
    return trial.model_copy(update={"stop_rule": "budget"})


def through_harness(trial: Trial, store: Path, options: RunOptions) -> tuple[Result, float, float]:
    """Run a trial; returns its result, the seconds to its first timed step, the off-clock share."""
    watch = Stopwatch()
    called_s = time.monotonic()
    result = run_trial(trial, store, options, watch)
    wall_s = time.monotonic() - called_s
    if result.state not in {"budget", "reached"}:
        sys.exit(f"the trial ended as {result.state}: {result.reason}")
    go_s, end_s = watch.heard_s["go"], watch.heard_s["end"]
    return result, go_s - called_s, (end_s - go_s - result.timed_s) / wall_s


def training_of(trial: Trial, steps: int, options: RunOptions) -> Training:
    """The same training for the bare loop."""
    size, point = registry.workload(trial.workload).at(trial.suite), trial.point
    return Training(
        package=registry.workload(trial.workload).package,
        folder=str(prepare(trial, options) / "train"),
        sizes=size.sizes,
        batch_size=size.batch_size,
        steps=steps,
        horizon_steps=round(float(point["horizon"]) * steps),
        warmup_share=float(point["warmup"]),
        learning_rate=float(point["learning_rate"]),
        weight_decay=float(point["weight_decay"]),
        betas=(float(point["beta1"]), float(point["beta2"])),
        eps=float(point["epsilon"]),
        threads=options.threads,
    )


def bare_rate(training: Training) -> float:
    """Steps a second of the bare loop, in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("bare_loop.py"))]
    text = json.dumps(asdict(training))
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"the bare loop failed:\n{done.stderr}")
    measured = json.loads(done.stdout)
    return float(measured["steps"] / measured["timed_s"])


def one_round(trial: Trial, store: Path, options: RunOptions) -> Round:
    """One trial through the harness, then the bare loop; printed at once."""
    result, start_s, share = through_harness(trial, store, options)
    bare = bare_rate(training_of(trial, result.steps, options))
    measured = Round(result.steps / result.timed_s, bare, start_s, share)
    show(trial.trial, measured)
    return measured


def spread(values: Sequence[float]) -> str:
    """Median and range as text."""
    return f"median {statistics.median(values):.3f}, {min(values):.3f} to {max(values):.3f}"


def main() -> None:
    """Run the rounds and print what they measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", default="mlp", choices=registry.workload_names())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget-scale", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error(f"--rounds {arguments.rounds} must be at least 2: the first warms up")
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(cache_dir=Path(folder) / "data", threads=arguments.threads)
        numbers = range(1, arguments.rounds + 1)
        trials = [planned(arguments.workload, n, arguments.budget_scale) for n in numbers]
        for trial in trials:
            prepare(trial, options)
        rounds = [one_round(trial, Path(folder), options) for trial in trials]
    summarise(rounds)


def summarise(rounds: Sequence[Round]) -> None:
    """Print median and range of what is measured, beside the goals."""
    later = rounds[1:]
    print(f"steps per timed second, harness / bare: {spread([r.ratio for r in rounds])}")
    print(f"    (goal: at least {GOALS['ratio']})")
    print(f"start of a trial after the first, s:    {spread([r.start_s for r in later])}")
    print(f"    (goal: at most {GOALS['start_s']})")
    print(f"off the clock, share of wall time:      {spread([r.off_clock_share for r in rounds])}")
    print(f"    (goal: under {GOALS['off_clock_share']})")


def show(number: int, measured: Round) -> None:
    """Print one round."""
    print(
        f"round {number}: harness {measured.harness_rate:.0f} steps/s, "
        f"bare {measured.bare_rate:.0f}, ratio {measured.ratio:.3f}; "
        f"start {measured.start_s:.2f} s; off the clock {measured.off_clock_share:.1%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
